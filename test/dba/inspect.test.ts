import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyCheckout } from '../support/checkout.ts';

test('an inspection with attacks fails if the prover is not installed', async () => {
  const checkout = await copyCheckout();
  await rm(join(checkout.directory, 'isolation'), { recursive: true });
  await writeFile(
    join(checkout.directory, 'ask.ts'),
    `import { inspect } from './dba/inspect.ts';
    const copy = { ownerUrl: 'postgres://nobody@127.0.0.1:1/none', adminUrl: undefined };
    await inspect(copy, { text: 'none', attacks: true }).catch((error) => console.log(error.message));`,
  );
  expect(await checkout.run('ask.ts')).toEqual({
    code: 0,
    output: 'The prover is not installed here. Run this command from a checkout, after `npm install`.\n',
  });
  await checkout.remove();
});
