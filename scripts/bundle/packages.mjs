// The bundles of each package, each with the modules that are loaded by their names (its entries).
// Without chunks each bundle of one entry is one file. A chunk has the modules that all of its
// `reachedFrom` lead to and that are in no chunk before it; whoever needs one of them loads them
// all, so chunks follow what runs together. Bundles share nothing: what is started as the first
// module of a thread or process, and shares no classes with anybody there, is one by itself.
//
// `inlined` packages (by the file that Node finds) become part of the bundle, with those that they
// import; their `licences` are put beside it (`a > b` is the package b that a brings along). All
// others are imported as they are. Modules that match `outside` stay in `dist/`.

export const PACKAGES = [
  {
    directory: 'sharedarraybuffer-polyfill',
    name: 'sharedarraybuffer-polyfill',
    bundles: [
      {
        entries: () => ['index'],
        chunks: [{ name: 'shared-memory', reachedFrom: ['index'], script: true }],
      },
      { entries: () => ['wait-helper-main'] },
    ],
  },
  {
    directory: 'core',
    name: '@ginit/core',
    inlined: { 'msgpackr/pack': 'msgpackr/index.js', saxes: 'saxes/saxes.js' },
    licences: ['msgpackr', 'saxes', 'saxes > xmlchars'],
    bundles: [
      {
        // The doors of the package, which must lead to the modules that the runtime has, and what
        // threads and processes start with.
        entries: () => [
          'index',
          'async',
          'config',
          'block',
          'file_system',
          'host',
          'system',
          'supervisor',
          'packet-stream',
          'report',
          'framebuffer',
          'input',
          'machine',
          'terminal',
          'trace',
          'platform',
          'nats',
          'testing',
          'platform/thread/component-main',
          'platform/thread/host-access/program-warden',
          'platform/thread/host-access/mount-warden',
          'platform/manifest/manifest-worker',
          'platform/ginit/child-process/filtered-start-main',
        ],
        chunks: [
          { name: 'component', reachedFrom: ['platform/thread/component-main'], script: true },
          // Threads that read manifests load no more than this of it.
          { name: 'manifest', reachedFrom: ['platform/manifest/manifest-worker'] },
          { name: 'supervisor', reachedFrom: ['supervisor'] },
        ],
      },
      { entries: () => ['platform/domain/domain-main'] },
      { entries: () => ['platform/manifest/manifest-main'] },
      { entries: () => ['platform/bus-process/bus-main'] },
    ],
  },
  {
    directory: 'block',
    name: '@ginit/block',
    bundles: [
      'block_tester',
      'fault_block',
      'file_block',
      'http_block',
      'image_block',
      'nbd_block',
      'nbd_server',
      'part_block',
      'ram_block',
      'rom_block',
      'snapshot_block',
      'vfs_block',
    ]
      .map((name) => `${name}/main`)
      // What other packages use of it.
      .concat('nbd_server/index', 'image/index')
      .map((entry) => ({ entries: () => [entry] })),
  },
  {
    directory: 'os',
    name: '@ginit/os',
    bundles: [
      ...[
        'dummy',
        'dynamic_rom',
        'framebuffer_png',
        'fs_rom',
        'fs_tool',
        'fuse',
        'host_rom',
        'ram_fs',
        'log_report',
        'report_log',
        'report_rom',
        'rom_filter',
        'socket_terminal',
        'terminal_crosslink',
        'terminal_log',
        'trace_fs',
        'vfs',
      ].map((name) => ({ entries: () => [`${name}/main`] })),
      // vmm makes pictures of its screen, and serves shared folders with these.
      { entries: () => ['lib/png'] },
      { entries: () => ['lib/9p/index'] },
    ],
  },
  { directory: 'blockcache', name: '@ginit/blockcache', bundles: [{ entries: () => ['main'] }] },
  { directory: 'vmm', name: '@ginit/vmm', bundles: [{ entries: () => ['main'] }] },
  {
    directory: 'rumpfs',
    name: '@ginit/rumpfs',
    // The second has what ram_fs uses of it.
    bundles: [{ entries: () => ['main'] }, { entries: () => ['tmpfs-server'] }],
  },
  {
    directory: 'init',
    name: '@ginit/init',
    // The command of the simulator runs from the modules, as the simulator does, and so do those
    // of images, of file systems and of mounts, which few systems need.
    outside: /^command\/(?:sim|image|fs|mount)\//,
    bundles: [
      { entries: () => ['command/main'] },
      { entries: () => ['component/main'] },
      { entries: () => ['sequence/main'] },
      { entries: () => ['index'] },
    ],
  },
];

/**
 * Files that change whenever the bundle would, by their paths from `packages/`: tsc writes the
 * first ones whenever it compiles.
 */
export const DECIDING_FILES = [
  ...PACKAGES.map(({ directory }) => `${directory}/tsconfig.tsbuildinfo`),
  '../scripts/bundle/bundle.mjs',
  '../scripts/bundle/packages.mjs',
  '../scripts/bundle/script.mjs',
  '../scripts/bundle/stock-manifests.mjs',
];
