-- Run by graphile-migrate after each change (.gmrc): a server in development builds its API anew.
notify hedgerow_schema;
