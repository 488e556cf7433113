"use strict";
// Filters of tables, and how old the results are. Without it the page says everything too; nothing is fetched, stored or sent.
for (const form of document.querySelectorAll("form.controls")) {
  const table = document.getElementById(form.dataset.table);
  const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, text: row.textContent.toLowerCase() }));
  const told = form.querySelector("output");
  const apply = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Array.from(form.querySelectorAll("select"), (select) => [select.name, select.value]).filter((pair) => pair[1]);
    let shown = 0;
    for (const { row, text } of rows) {
      const fits = words.every((word) => text.includes(word)) && wanted.every(([name, value]) => row.dataset[name] === value);
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    told.textContent = shown + " of " + rows.length + " shown";
  };
  form.addEventListener("input", apply);
  form.addEventListener("reset", () => setTimeout(apply, 0));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
}
for (const button of document.querySelectorAll("button.print")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
const age = document.getElementById("age");
if (age) {
  const days = (Date.now() - Date.parse(age.dataset.time)) / 86400000;
  age.textContent = days < -0.004 ? "in the future: a clock is wrong" : days < 1 ? "less than a day ago" : Math.floor(days) + " days ago";
  if (days > Number(age.dataset.limit)) age.textContent += " – stale, run it again";
}
