// Tells the shop which slots came into view: half of one, or half a screen of a tall one, for half a second.
const waiting = new Map();
const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const slot = entry.target;
    const isSeen = entry.intersectionRatio >= 0.5 || entry.intersectionRect.height >= innerHeight / 2;
    if (isSeen && !waiting.has(slot)) {
      waiting.set(slot, setTimeout(() => report(slot), 500));
    } else if (!isSeen && waiting.has(slot)) {
      clearTimeout(waiting.get(slot));
      waiting.delete(slot);
    }
  }
}, { threshold: [0, 0.25, 0.5, 0.75, 1] });

function report(slot) {
  observer.unobserve(slot);
  navigator.sendBeacon("/seen", JSON.stringify({ tokens: [slot.dataset.token] }));
}

document.querySelectorAll(".slot[data-token]").forEach((slot) => observer.observe(slot));
