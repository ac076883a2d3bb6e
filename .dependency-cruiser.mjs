// The layers of docs/architecture.md: imports point down only, type-only ones included. `npm run check:layers` enforces it.

/** Top-level folders, the lowest first. A folder imports those before it. */
const layers = ['common', 'postgres', 'lint', 'server', 'isolation', 'dba', 'dev'];

/** Folders that nothing else imports. */
const entryPoints = ['dev', 'documents', 'bench', 'test'];

/** Folders of server/, the lowest first. */
const serverLayers = ['http', 'tenancy', 'auth', 'organizations', 'graphql'];

const folder = (names) => `^(${names.join('|')})/`;

const above = (names, index) => names.slice(index + 1);

export default {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...layers.slice(0, -1).map((layer, index) => ({
      name: `${layer}-imports-below`,
      severity: 'error',
      from: { path: folder([layer]) },
      to: { path: folder([...above(layers, index), 'documents', 'bench', 'test']) },
    })),
    ...entryPoints.map((entry) => ({
      name: `nothing-imports-${entry}`,
      severity: 'error',
      from: { path: folder([...layers, 'documents', 'bench']), pathNot: `^${entry}/` },
      to: { path: `^${entry}/` },
    })),
    {
      name: 'lint-at-start-only',
      comment: 'The server applies lint rules at its start, in one place. Requests do not depend on the lint.',
      severity: 'error',
      from: { path: '^server/', pathNot: '^server/run[.]ts$' },
      to: { path: '^lint/' },
    },
    ...serverLayers.slice(0, -1).map((layer, index) => ({
      name: `server-${layer}-imports-below`,
      severity: 'error',
      from: { path: `^server/${layer}/` },
      to: { path: `^server/(${above(serverLayers, index).join('|')})/` },
    })),
    {
      name: 'server-folders-do-not-import-their-entry-points',
      severity: 'error',
      from: { path: '^server/[^/]+/' },
      to: { path: '^server/[^/]+[.]ts$', pathNot: '^server/(heap|config)[.]ts$' },
    },
    {
      name: 'commands-are-not-imported',
      comment: 'A command is thin: it calls capabilities, and nothing but the command line calls it.',
      severity: 'error',
      from: { path: '^dba/(?!program[.]ts$|commands/)' },
      to: { path: '^dba/commands/' },
    },
    {
      name: 'private-parts-in-internals-only',
      severity: 'error',
      from: { path: '^(?!test/)', pathNot: '/internals/' },
      to: { path: 'node_modules/(graphile-migrate/dist/(?!index)|pg/lib/(?!index)|grafast/dist/(?!index))' },
    },
    { name: 'no-missing-packages', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^bench/peers/|^bench/node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
    reporterOptions: {
      archi: {
        collapsePattern: '^(common|postgres|lint|isolation|dba|dev)|^server/(http|tenancy|auth|organizations|graphql)/',
        theme: {
          graph: { rankdir: 'BT', splines: 'true', bgcolor: 'transparent', fontname: 'sans-serif' },
          node: { fontname: 'sans-serif', fillcolor: '#ffffff' },
          edge: { color: '#57606a', arrowhead: 'normal' },
        },
      },
    },
  },
};
