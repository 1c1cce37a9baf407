// What the pages gain where scripts run. Everything works without them, by links and forms.
"use strict";

// Select all rows of a table; the box appears only here, since it needs this script.
for (const place of document.querySelectorAll("[data-select-all]")) {
  const boxes = () => document.querySelectorAll(`input[name="${place.dataset.selectAll}"]`);
  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", place.dataset.label);
  all.addEventListener("change", () => boxes().forEach((box) => { box.checked = all.checked; }));
  place.replaceChildren(all);
}

// A card that is dropped on a lane sends the form of its own menu.
for (const card of document.querySelectorAll(".card[data-draggable]")) {
  card.draggable = true;
  card.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", card.id));
}
for (const lane of document.querySelectorAll(".lane")) {
  lane.addEventListener("dragover", (event) => { event.preventDefault(); lane.classList.add("over"); });
  lane.addEventListener("dragleave", () => lane.classList.remove("over"));
  lane.addEventListener("drop", (event) => {
    event.preventDefault();
    lane.classList.remove("over");
    const card = document.getElementById(event.dataTransfer.getData("text/plain"));
    const choice = card?.querySelector('select[name="to"]');
    const offered = [...(choice?.options ?? [])].some((option) => option.value === lane.dataset.state);
    if (!offered || lane.contains(card)) return;
    choice.value = lane.dataset.state;
    choice.form.requestSubmit();
  });
}

// Print by a button; the browser's own menu does the same.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
