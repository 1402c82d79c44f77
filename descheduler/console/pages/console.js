"use strict";
// What is new is shown without a reload: the page is asked for again, and its main part put in the place of the old.
(() => {
  const main = document.querySelector("main"), when = document.querySelector("[data-live]");
  const renew = async () => {
    if (document.hidden || main.querySelector("details[open]") || String(getSelection())) return;
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
      if (page.innerHTML !== main.innerHTML) main.replaceChildren(...page.childNodes);
      when.textContent = "Up to date.";
    } catch (error) {
      when.textContent = "The controller does not answer; this is what it said last.";
    }
  };
  setInterval(renew, 5000);
})();
