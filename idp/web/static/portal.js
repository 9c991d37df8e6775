// The portal with a script: search while typing, and the keyboard from search to role.
// A role matches when every word typed occurs in its name, tags, account alias or number.
const search = document.getElementById("q");
const list = document.getElementById("roles");
const count = document.getElementById("count");
const showAll = document.getElementById("show-all");
const total = Number(list.dataset.total);
let complete = list.dataset.query === "";
let fetchable = true;
let spoken;

const plain = (text) => text.normalize("NFKC").toLowerCase();
const words = () => plain(search.value).split(/\s+/).filter(Boolean);
const visibleRoles = () =>
  [...list.querySelectorAll(".role-open")].filter((button) => button.checkVisibility());

function filter() {
  const wanted = words();
  let shown = 0;
  let accounts = 0;
  for (const account of list.querySelectorAll(".account")) {
    let here = 0;
    for (const row of account.querySelectorAll(".row")) {
      row.searchText ??= plain(`${row.dataset.find} ${account.dataset.find}`);
      row.hidden = !wanted.every((word) => row.searchText.includes(word));
      if (!row.hidden) here += 1;
    }
    account.hidden = here === 0;
    if (here && wanted.length) account.open = true;
    const index = list.querySelector(`[data-index="${account.id}"]`);
    if (index) index.hidden = here === 0;
    for (const number of [account.querySelector(".count"), index?.querySelector(".count")]) {
      if (number) number.firstChild.textContent = String(here);
    }
    shown += here;
    accounts += here ? 1 : 0;
  }
  for (const shelf of list.querySelectorAll(".shelf")) shelf.hidden = wanted.length > 0;
  list.querySelector(".list-head h2").textContent = wanted.length ? "Matches" : "All accounts";
  document.getElementById("empty").hidden = shown > 0;
  document.getElementById("empty-query").textContent = search.value.trim();
  showAll.hidden = wanted.length === 0;
  say(shown, accounts, wanted.length > 0);
  remember();
}

// Only after a pause, so that a screen reader isn't given a number for every letter.
function say(shown, accounts, searching) {
  const noun = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  const text = searching
    ? `${shown} of ${noun(total, "role")}`
    : `${noun(total, "role")} in ${noun(accounts, "account")}`;
  clearTimeout(spoken);
  spoken = setTimeout(() => { count.textContent = text; }, 250);
}

// The address and the pin forms follow, so that a reload or a pin keeps the search.
function remember() {
  const address = new URL(location.href);
  if (search.value.trim()) address.searchParams.set("q", search.value.trim());
  else address.searchParams.delete("q");
  history.replaceState(null, "", address);
  for (const field of document.querySelectorAll("[data-follows-search]")) field.value = search.value.trim();
}

// A page that came filtered by the server lacks the other roles; fetch them once, when needed.
async function completeList() {
  if (complete || !fetchable) return;
  fetchable = false;
  const address = new URL(location.href);
  address.searchParams.delete("q");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, redirect: "error" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("roles");
    if (!answer.ok || !fresh || complete) return;
    list.querySelectorAll(".shelf").forEach((shelf) => shelf.remove());
    list.prepend(...fresh.querySelectorAll(".shelf"));
    const kept = list.querySelector(".accounts");
    kept.className = fresh.querySelector(".accounts").className;
    kept.querySelector(".index")?.remove();
    kept.prepend(...fresh.querySelectorAll(".index"));
    list.querySelectorAll(".account").forEach((account) => account.remove());
    document.getElementById("empty").before(...fresh.querySelectorAll(".account"));
    complete = true;
  } catch {
    count.textContent = "Press Enter to search."; // The server does it then.
  }
}

function move(step) {
  const roles = visibleRoles();
  const here = roles.indexOf(document.activeElement);
  const next = here + step;
  if (next < 0) search.focus();
  else roles[Math.min(next, roles.length - 1)]?.focus();
}

search.addEventListener("input", async () => {
  await completeList();
  if (complete) filter();
});

search.form.addEventListener("submit", (event) => {
  if (!complete) return;
  event.preventDefault();
  visibleRoles()[0]?.focus();
});

showAll.addEventListener("click", async (event) => {
  event.preventDefault();
  await completeList();
  if (!complete) return location.assign(showAll.href);
  search.value = "";
  filter();
  search.focus();
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea, summary");
  if (event.key === "/" && event.target !== search) {
    if (event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    search.select();
  } else if (event.key === "Escape" && event.target === search && search.value) {
    event.preventDefault();
    search.value = "";
    search.dispatchEvent(new Event("input"));
  } else if (event.key === "ArrowDown" && event.target === search) {
    event.preventDefault();
    visibleRoles()[0]?.focus();
  } else if (!typing && event.target.matches(".role-open") && ["ArrowDown", "ArrowUp"].includes(event.key)) {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
  }
});

document.documentElement.classList.add("has-script");
for (const part of document.querySelectorAll(".search-key")) part.hidden = false;
for (const part of document.querySelectorAll("[data-with-script]")) part.textContent = part.dataset.withScript;
