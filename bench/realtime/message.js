// A stored in-app message as sockets carry it, about 900 bytes.
export const message = {
  _id: '6720f0a9c1d2e3f405060708', _templateId: '6720f0a9c1d2e3f405060709', _environmentId: '6720f0a9c1d2e3f405060701',
  _organizationId: '6720f0a9c1d2e3f405060702', _subscriberId: '6720f0a9c1d2e3f405060703', transactionId: 'txn_6720f0a9c1d2e3f405060704',
  content: 'Hi Ada, Charles Babbage says: Looks right. (1 likes)', subject: 'Charles Babbage commented on Engines', channel: 'in_app',
  read: false, seen: false, archived: false, snoozedUntil: null, deliveredAt: ['2026-01-01T00:00:00.000Z'], createdAt: '2026-01-01T00:00:00.000Z',
  tags: ['comments'], data: { post: 17 }, severity: 'none', contextKeys: [], payload: { actor: 'Charles Babbage', postTitle: 'Engines', likes: 1 },
  cta: { type: 'redirect', data: { url: 'https://example.com/posts/17' }, action: { status: 'pending', buttons: [] } },
  subscriber: { _id: '6720f0a9c1d2e3f405060703', subscriberId: 'ada', firstName: 'Ada', lastName: 'Lovelace' },
  workflow: { id: '6720f0a9c1d2e3f405060709', identifier: 'bench-comment', name: 'Comment', critical: false, tags: [], severity: 'none' },
};
