"use strict";
const language = document.documentElement.lang;
const token = () => sessionStorage.getItem("millwright-token");

async function fragment(path) {
  const headers = token() ? { Authorization: `Bearer ${token()}` } : {};
  const answer = await fetch(path, { headers });
  if (answer.status === 401) {
    document.getElementById("token-form").hidden = false;
  }
  const type = answer.headers.get("content-type") ?? "";
  if (type.startsWith("text/html")) return answer.text();
  const shown = document.createElement("p");
  shown.className = "problem";
  shown.textContent = `${answer.status}: ${(await answer.json().catch(() => ({}))).detail ?? answer.statusText}`;
  return shown.outerHTML;
}

async function refresh() {
  if (document.hidden) return;
  const overview = document.getElementById("overview");
  try {
    overview.innerHTML = await fragment(`/fragments/overview?lang=${language}`);
    overview.classList.remove("stale");
  } catch {
    overview.classList.add("stale");
  }
}

for (const form of document.querySelectorAll("form[data-into]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const query = new URLSearchParams(new FormData(form));
    query.set("lang", language);
    document.getElementById(form.dataset.into).innerHTML = await fragment(`${form.dataset.fragment}?${query}`);
  });
}

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-trace]");
  if (!link) return;
  event.preventDefault();
  const results = document.getElementById("trace-results");
  results.innerHTML = await fragment(`/fragments/trace?lang=${language}&${link.dataset.trace}`);
  results.scrollIntoView({ behavior: "smooth" });
});

document.getElementById("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("millwright-token", new FormData(event.target).get("token"));
  event.target.hidden = true;
  refresh();
});

refresh();
setInterval(refresh, 2000);
