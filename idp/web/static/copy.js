// Copy buttons: in the page without a script too, but shown only when they work.
const said = document.getElementById("copied");

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.firstChild;
  try {
    await navigator.clipboard.writeText(source.textContent);
    label.textContent = "Copied";
    if (said) said.textContent = `Copied${button.querySelector(".hidden")?.textContent ?? ""}.`;
  } catch {
    // Not allowed to write: select the text, so that the keyboard's own copy takes it.
    getSelection().selectAllChildren(source);
    label.textContent = "Selected";
    if (said) said.textContent = "Selected. Copy it with the keyboard.";
  }
  setTimeout(() => { label.textContent = "Copy"; }, 2500);
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
