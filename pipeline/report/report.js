"use strict";
// Search, filters, full-size pictures, before and after, and copying. The page is whole without this. Texts are only ever put
// in as text, addresses are those of the page's own links.
(() => {
  const all = (selector, root) => [...(root || document).querySelectorAll(selector)];
  const cards = all(".pic");
  const choices = all(".filters select");

  const find = document.querySelector(".filters input[name=find]");
  const words = () => (find ? find.value.trim().toLowerCase().split(/\s+/).filter(Boolean) : []);
  const isNarrowed = () => words().length > 0 || choices.some((choice) => choice.value);
  const asked = () => {
    const wanted = words();
    return (name, valueOf) =>
      wanted.every((word) => name().toLowerCase().includes(word)) &&
      choices.every((choice) => {
        const value = choice.value && valueOf(choice.name);
        return !choice.value || (choice.name === "flag" ? value.split(" ").includes(choice.value) : value === choice.value);
      });
  };
  const tell = (count) => {
    const tally = document.getElementById("tally");
    if (tally) tally.textContent = count === 1 ? "1 picture" : count + " pictures";
  };

  const filter = () => {
    const takes = asked();
    let count = 0;
    for (const card of cards) {
      card.hidden = !takes(() => all(".name, .names-of", card).map((text) => text.textContent).join(" "), (name) => card.dataset[name]);
      count += card.hidden ? 0 : 1;
    }
    const narrowed = isNarrowed();
    for (const sheet of all(".sheet")) sheet.classList.toggle("narrowed", narrowed);
    for (const row of all(".row")) row.hidden = all(".pic", row).every((card) => card.hidden);
    tell(count);
  };

  // Of several pages the first has an index of all pairs; what is found stands in the place of its
  // own pictures, each with the way to its page.
  const index = document.getElementById("index");
  const search = () => {
    const { statuses, small, names, pages } = JSON.parse(index.textContent);
    const places = { flag: 4, photograph: 5, style: 6 };
    const box = document.getElementById("found");
    const more = document.getElementById("more-found");
    let found = [];
    let drawn = 0;
    const made = (tag, text, name) => {
      const element = document.createElement(tag);
      element.textContent = text;
      if (name) element.className = name;
      return element;
    };
    const card = ([at, [name, status, digest, pictured]]) => {
      const item = made("article", "", "pic " + statuses[status][0]);
      const link = made("a", "", "found");
      link.href = at + "#pair-" + digest.slice(0, 12);
      if (!pictured) link.append(made("p", statuses[status][1], "blank"));
      else {
        const image = made("img", "", "small");
        image.loading = "lazy";
        image.alt = "";
        image.src = small[0] + digest + small[1];
        link.append(image);
      }
      const title = made("h3", "", "name");
      title.append(made("bdi", name));
      link.append(title);
      const tag = made("p", "", "tag");
      tag.append(made("b", statuses[status][1]));
      item.append(link, tag);
      return item;
    };
    const draw = () => {
      const next = found.slice(drawn, drawn + 60);
      drawn += next.length;
      box.querySelector(".cells").append(...next.map(card));
      more.hidden = drawn === found.length;
    };
    more.addEventListener("click", draw);
    return () => {
      const takes = asked();
      const narrowed = isNarrowed();
      found = [];
      drawn = 0;
      let whole = 0;
      for (const page of pages) {
        whole += page.pairs.length;
        if (!narrowed) continue;
        for (const pair of page.pairs) {
          const valueOf = (name) => (name === "status" ? statuses[pair[1]][0] : pair[places[name]]);
          if (takes(() => pair[0] + " " + names[pair[5]] + " " + names[pair[6]], valueOf)) found.push([page.at, pair]);
        }
      }
      box.querySelector(".cells").replaceChildren();
      box.hidden = !narrowed;
      document.getElementById("this-page").hidden = narrowed;
      draw();
      tell(narrowed ? found.length : whole);
    };
  };
  const narrow = index ? search() : filter;
  for (const box of all(".filters")) box.hidden = false;
  for (const choice of choices) choice.addEventListener("change", narrow);
  if (find) find.addEventListener("input", narrow);
  // "812 new" above leads to those that are.
  for (const chip of all("a[data-choose]")) {
    chip.addEventListener("click", () => {
      const choice = choices.find((other) => other.name === "status");
      if (choice) { choice.value = chip.dataset.choose; narrow(); }
    });
  }
  // A browser that comes back to the page puts in what was looked for.
  addEventListener("pageshow", () => { if (isNarrowed()) narrow(); });
  // A link from above to a pair that is not shown shows it again.
  const unhide = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const gone = target && target.closest(".pic[hidden], #this-page[hidden]");
    if (!gone) return;
    for (const choice of choices) choice.value = "";
    if (find) find.value = "";
    narrow();
    target.scrollIntoView();
  };
  addEventListener("hashchange", unhide);

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

  // Before and after: the photograph lies over the painting, cut off where the slider stands.
  const cut = full && part("cut");
  let compares = false;
  const photographOf = (card) => document.querySelector("img[data-source=" + card.dataset.sources.split(" ")[0] + "]");
  const slide = () => part("stage").style.setProperty("--cut", cut.value + "%");
  const before = (card, picture) => {
    const small = photographOf(card);
    part("compare").hidden = !small;
    const on = compares && Boolean(small);
    part("compare").setAttribute("aria-pressed", String(on));
    part("slide").hidden = !on;
    part("stage").classList.toggle("compares", on);
    if (!on) return;
    const both = document.createElement("div");
    both.className = "both";
    const photograph = document.createElement("img");
    const link = small.closest("a");
    photograph.onerror = () => { photograph.onerror = null; photograph.src = small.src; };
    photograph.src = link ? link.href : small.src;
    photograph.alt = small.alt;
    photograph.className = "before";
    const shape = () => { if (picture.naturalWidth) both.style.setProperty("--ratio", picture.naturalWidth / picture.naturalHeight); };
    picture.addEventListener("load", shape);
    shape();
    both.append(picture, photograph);
    part("stage").replaceChildren(both);
    slide();
  };
  if (full) {
    cut.addEventListener("input", slide);
    part("compare").addEventListener("click", () => {
      compares = !compares;
      show(at);
      if (compares && !part("slide").hidden) cut.focus();
    });
    const drag = (event) => {
      const both = part("stage").querySelector(".both");
      if (!both || !event.buttons) return;
      const box = both.getBoundingClientRect();
      cut.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
      slide();
      event.preventDefault();
    };
    part("stage").addEventListener("pointerdown", drag);
    part("stage").addEventListener("pointermove", drag);
  }

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
    before(card, picture);
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
      if (event.target === cut) return; // its own keys move the slider
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
      if (again.checked && !(full && full.open) && !isNarrowed()) location.reload();
    }, 10000);
  }
})();
