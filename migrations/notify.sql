-- graphile-migrate runs this after each change (.gmrc). A development server then rebuilds its API.
notify hedgerow_schema;
