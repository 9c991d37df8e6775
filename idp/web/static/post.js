// Sends the assertion on by itself, once: coming back with the Back button must not send it again.
const form = document.getElementById("assertion");
const [arrival] = performance.getEntriesByType("navigation");

if (form && arrival?.type !== "back_forward") {
  document.documentElement.classList.add("is-going");
  form.requestSubmit();
}

// A page that Back restores from memory has stopped, and should look so.
addEventListener("pageshow", (event) => {
  if (event.persisted) document.documentElement.classList.remove("is-going");
});
