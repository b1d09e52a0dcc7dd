"use strict";
// Filters, full-size pictures and copying. The page is whole without this. Texts are only ever put
// in as text, addresses are those of the page's own links.
(() => {
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const cards = all(".pic");
  const choices = all(".filters select");

  const shown = (card) => choices.every((choice) => !choice.value || card.dataset[choice.name] === choice.value);
  const filter = () => {
    let count = 0;
    for (const card of cards) {
      card.hidden = !shown(card);
      count += card.hidden ? 0 : 1;
    }
    const narrowed = choices.some((choice) => choice.value);
    for (const sheet of all(".sheet")) sheet.classList.toggle("narrowed", narrowed);
    for (const row of all(".row")) row.hidden = all(".pic", row).every((card) => card.hidden);
    const tally = document.getElementById("tally");
    if (tally) tally.textContent = count === 1 ? "1 picture" : count + " pictures";
  };
  for (const box of all(".filters")) box.hidden = false;
  for (const choice of choices) choice.addEventListener("change", filter);

  // A hero is drawn from its small picture until the file itself is there; a page that was mailed
  // keeps the small one.
  for (const small of all(".heroes a.hero img[data-sharper]")) {
    const file = new Image();
    file.onload = () => { small.src = file.src; };
    file.src = small.closest("a").href;
  }

  for (const text of all(".copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copier";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const done = () => { button.textContent = "Copied"; };
      try {
        await navigator.clipboard.writeText(text.textContent);
        done();
      } catch {
        const range = document.createRange();
        range.selectNodeContents(text);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        if (document.execCommand("copy")) done();
      }
    });
    text.after(button);
  }

  const full = document.getElementById("full");
  const part = (name) => full.querySelector("[data-part=" + name + "]");
  let at = null;
  let earlier = -1; // which earlier picture is shown instead; -1: none
  const list = () => cards.filter((card) => !card.hidden && card.querySelector("a.hero"));
  const olderOf = (card) => all(".older a", card);
  const show = (card) => {
    at = card;
    const hero = card.querySelector("a.hero");
    const small = hero.querySelector("img");
    const older = olderOf(card);
    const link = earlier < 0 ? hero : older[earlier];
    const picture = document.createElement("img");
    picture.onerror = () => { picture.onerror = null; picture.src = (link.querySelector("img") || small).src; };
    picture.src = link.href;
    picture.alt = small.alt;
    part("stage").replaceChildren(picture);
    part("name").textContent = card.querySelector(".name").textContent + (earlier < 0 ? "" : ", " + link.textContent.trim());
    part("about").textContent = all(".traits, .tag", card).map((text) => text.textContent.trim().replace(/\s+/g, " ")).join(" · ");
    part("file").href = link.href;
    const place = list();
    part("place").textContent = place.indexOf(card) + 1 + " of " + place.length;
    part("earlier").hidden = older.length === 0;
    part("earlier").textContent = earlier < 0 ? "Earlier picture" : earlier + 1 < older.length ? "Still earlier" : "Present picture";
    const sources = part("sources");
    sources.replaceChildren();
    for (const key of card.dataset.sources.split(" ")) {
      const image = document.querySelector("img[data-source=" + key + "]");
      if (image) sources.append(image.cloneNode());
    }
  };
  const step = (by) => {
    const place = list();
    earlier = -1;
    show(place[(place.indexOf(at) + by + place.length) % place.length]);
  };
  document.addEventListener("click", (event) => {
    const hero = event.target.closest && event.target.closest(".pic a.hero");
    if (!hero || event.button || event.ctrlKey || event.metaKey || event.shiftKey || !full.showModal) return;
    event.preventDefault();
    earlier = -1;
    show(hero.closest(".pic"));
    full.showModal();
  });
  if (full) {
    part("left").addEventListener("click", () => step(-1));
    part("right").addEventListener("click", () => step(1));
    part("close").addEventListener("click", () => full.close());
    part("earlier").addEventListener("click", () => {
      earlier = earlier + 1 < olderOf(at).length ? earlier + 1 : -1;
      show(at);
    });
    full.addEventListener("click", (event) => { if (event.target === full) full.close(); });
    full.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") step(-1);
      else if (event.key === "ArrowRight") step(1);
      else return;
      event.preventDefault();
    });
    full.addEventListener("close", () => { if (at) at.querySelector("a.hero").focus(); });
  }

  const again = document.getElementById("again");
  if (again) {
    again.closest("label").hidden = false;
    setInterval(() => {
      if (again.checked && !(full && full.open) && !choices.some((choice) => choice.value)) location.reload();
    }, 10000);
  }
})();
