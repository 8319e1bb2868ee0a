'use strict';
// Composes a front page, prints it, and tells what came into view and what was clicked.
//
//   npm ci
//   node compose.js [host:port] [user id]

const { LayoutClient, impression, click } = require('./layout-client');

// What shoppers see where there is no answer in time. Nothing is learned from it.
const INSTEAD = {
  slots: [
    {
      title: 'Popular right now',
      templateId: 'carousel',
      items: [{ itemId: 'item-00001' }, { itemId: 'item-00002' }, { itemId: 'item-00003' }],
    },
  ],
};

async function main(target = '127.0.0.1:7070', userId = 'shopper-00042') {
  const layout = new LayoutClient(target);
  try {
    const request = {
      shopper: { userId, sessionId: 'visit-1', consent: 'CONSENT_GRANTED' },
      context: { pageType: 'PAGE_TYPE_HOME', locale: 'en' },
    };
    const page = await layout.compose(request, { fallback: INSTEAD });
    for (const slot of page.slots) {
      console.log(`${slot.title} (${slot.templateId}): ${slot.items.map((item) => item.itemId).join(', ')}`);
    }
    if (page.pageId) {
      const events = page.slots.slice(0, 2).map(impression);
      const items = page.slots.flatMap((slot) => slot.items); // some pages have none
      events.push(...items.slice(0, 1).map(click));
      const { storedCount } = await layout.record(events);
      console.log(`${storedCount} events are on disk`);
    }
  } finally {
    layout.close();
  }
}

main(...process.argv.slice(2)).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
