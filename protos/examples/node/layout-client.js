'use strict';
// A small client of the layout service: deadlines, retries, and a page of one's own where there is no answer.

const { randomUUID } = require('node:crypto');
const path = require('node:path');
const grpc = require('@grpc/grpc-js');
const protoLoader = require('@grpc/proto-loader');

const PROTOS = process.env.PLANOGRAM_PROTOS ?? path.join(__dirname, '..', '..');
const definition = protoLoader.loadSync('planogram/layout/v1/layout.proto', {
  includeDirs: [PROTOS],
  defaults: true,
  enums: String,
  longs: String, // 64 bits do not fit into a number
});
const { LayoutService } = grpc.loadPackageDefinition(definition).planogram.layout.v1;

// Retried within the deadline: a layout process that restarts costs no page.
const SERVICE_CONFIG = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [
    {
      name: [{ service: 'planogram.layout.v1.LayoutService' }],
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: '0.02s',
        maxBackoff: '0.2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};

class LayoutClient {
  /** One per process. `token` is a caller token, where the service wants one. */
  constructor(target, { token = '', credentials = grpc.credentials.createInsecure() } = {}) {
    this.token = token;
    this.stub = new LayoutService(target, credentials, {
      'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
    });
  }

  /** The page for one view; `fallback`, where there is one and the answer fails or is late. */
  async compose(request, { deadlineMs = 250, requestId = randomUUID(), fallback } = {}) {
    try {
      const { page } = await this.#call('ComposePage', request, deadlineMs, requestId);
      return page;
    } catch (error) {
      // A mistake in the request is the caller's: it fails each time.
      if (fallback === undefined || error.code === grpc.status.INVALID_ARGUMENT) throw error;
      return fallback;
    }
  }

  /** Stores events; once it resolves, they are on disk. Nothing is counted twice when it is called again. */
  record(events, { deadlineMs = 2000 } = {}) {
    return this.#call('RecordEvents', { events }, deadlineMs, randomUUID());
  }

  close() {
    this.stub.close();
  }

  #call(method, request, deadlineMs, requestId) {
    const metadata = new grpc.Metadata();
    metadata.set('x-request-id', requestId);
    if (this.token) metadata.set('authorization', `Bearer ${this.token}`);
    return new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + deadlineMs };
      this.stub[method](request, metadata, options, (error, answer) =>
        error ? reject(error) : resolve(answer),
      );
    });
  }
}

/** The event of a slot that came into view. */
function impression(slot) {
  return { eventId: randomUUID(), type: 'EVENT_TYPE_IMPRESSION', trackingToken: slot.trackingToken };
}

/** The event of a click on an item of a page. */
function click(item) {
  return { eventId: randomUUID(), type: 'EVENT_TYPE_CLICK', trackingToken: item.trackingToken };
}

module.exports = { LayoutClient, impression, click };
