"use strict";
// Hears of news, asks for this very page again, and puts those parts of it in place that are others
// by now. The page is whole without this.
(() => {
  const live = document.getElementById("live");
  let version = document.body.dataset.version;
  let source = null;
  let asking = false;
  let wanted = "";

  const say = (text, lost) => {
    live.textContent = text;
    live.classList.toggle("lost", lost);
  };
  const parts = (root) => [...root.querySelectorAll("[data-part]")];
  const put = (old, fresh) => {
    if (old.outerHTML === fresh.outerHTML) return;
    const at = document.activeElement && old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const next = document.importNode(fresh, true);
    old.replaceWith(next);
    const again = at && [...next.querySelectorAll("a")].find((link) => link.getAttribute("href") === at && link.tabIndex >= 0);
    if (again) again.focus({ preventScroll: true });
  };
  const look = async () => {
    if (asking) return;
    asking = true;
    try {
      while (wanted !== version) {
        const reply = await fetch(location.href, { cache: "no-store", redirect: "error" });
        if (!reply.ok) break;
        const page = new DOMParser().parseFromString(await reply.text(), "text/html");
        const fresh = new Map(parts(page).map((part) => [part.dataset.part, part]));
        const here = parts(document);
        if (here.length !== fresh.size || here.some((part) => !fresh.has(part.dataset.part))) { location.reload(); return; }
        for (const part of here) put(part, fresh.get(part.dataset.part));
        document.title = page.title;
        version = page.body.dataset.version;
        wanted = version;
      }
    } catch { /* the stream says it */ } finally {
      asking = false;
    }
  };
  const listen = () => {
    if (source || document.hidden) return;
    source = new EventSource("./events");
    source.addEventListener("open", () => say("Live: what is new shows by itself.", false));
    source.addEventListener("news", (event) => { wanted = event.data; look(); });
    source.addEventListener("error", () => {
      const since = new Date().toLocaleTimeString();
      // A stream ends now and then, and the browser asks for another by itself.
      setTimeout(() => {
        if (document.hidden || (source && source.readyState === EventSource.OPEN)) return;
        say("No news since " + since + ": stylize watch has ended, or is out of reach.", true);
      }, 5000);
      if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(listen, 10000); }
    });
  };
  // A browser opens six connections to one place: pages that nobody sees leave them to others.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden && source) { source.close(); source = null; } else listen();
  });
  addEventListener("pagehide", () => { if (source) { source.close(); source = null; } });
  addEventListener("pageshow", listen);
  listen();
})();
