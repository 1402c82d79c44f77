"use strict";
(() => {
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value !== undefined ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true }));

  for (const head of document.querySelectorAll("table.sortable th")) {
    if (head.textContent.trim() === "") continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const sort = () => {
      const column = head.cellIndex, body = head.closest("table").tBodies[0];
      const first = head.dataset.sort === "n" ? "descending" : "ascending";
      const other = first === "descending" ? "ascending" : "descending";
      const way = head.getAttribute("aria-sort") === first ? other : first;
      for (const each of head.parentNode.cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", way);
      const sign = way === "descending" ? -1 : 1;
      body.append(...[...body.rows].sort((a, b) => sign * compare(value(a, column), value(b, column))));
    };
    head.addEventListener("click", sort);
  }

  for (const input of document.querySelectorAll("input[data-filter]")) {
    const section = document.getElementById(input.dataset.filter);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      const matches = (row) => {
        const group = row.closest("details");
        return row.textContent.toLowerCase().includes(wanted) || (group !== null && group.dataset.reason.toLowerCase().includes(wanted));
      };
      let shown = 0;
      for (const row of section.querySelectorAll(".filtered tbody tr")) {
        row.hidden = wanted !== "" && !matches(row);
        if (!row.hidden) shown += 1;
      }
      const none = section.querySelector(".none");
      none.hidden = shown > 0;
      none.querySelector("q").textContent = input.value.trim();
      for (const group of section.querySelectorAll("details")) {
        const found = group.querySelector("tbody tr:not([hidden])") !== null;
        group.hidden = !found;
        if (wanted !== "") group.open = found;
      }
    });
  }

  for (const button of document.querySelectorAll("button[data-open]")) {
    const groups = () => document.getElementById(button.dataset.open).querySelectorAll("details");
    button.addEventListener("click", () => {
      const open = [...groups()].some((group) => !group.open);
      for (const group of groups()) group.open = open;
      button.textContent = open ? "Close all" : "Open all";
    });
  }

  const reveal = () => {
    const target = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    const folded = target === null ? null : target.closest("details");
    if (folded !== null && !folded.open) {
      folded.open = true;
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();

  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")].filter((group) => group.querySelectorAll("tr").length < 60);
    for (const group of opened) group.open = true;
  });
  addEventListener("afterprint", () => { for (const group of opened) group.open = false; });
})();
