import { type Checkout, copyCheckout } from '../support/checkout.ts';
import type { Running } from '../support/running.ts';

let checkout: Checkout;
let server: Running;
beforeAll(async () => {
  checkout = await copyCheckout();
  server = checkout.start('dev/main.ts', [], { PORT: '0' });
});
afterAll(async () => {
  await server.stop();
  await checkout.remove();
});

test('the first start tells a newcomer nothing that they cannot act on', async () => {
  await server.line(/Hedgerow is ready/);
  expect(server.output()).not.toMatch(/GRAPHILE_ENV|Grafast|"level":[456]0/);
}, 120_000);
