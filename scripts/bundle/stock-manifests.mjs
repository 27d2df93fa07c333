// Reads the manifests of stock components when ginit is built: `ginit check` then runs none of
// their code.
import { ManifestReader } from '../../packages/core/dist/supervisor.js';
import { STOCK_NAMES, stockModule } from '../../packages/init/dist/command/stock.js';

/** The manifests of all stock components by their names, as JSON. */
export async function stockManifests() {
  const modules = STOCK_NAMES.map((name) => [name, stockModule(name)]);
  const answers = await new ManifestReader(modules.length).read(
    modules.map(([, moduleUrl]) => ({ moduleUrl, files: undefined })),
  );
  const manifests = modules.map(([name, url]) => {
    const answer = answers.get(url);
    if (!answer || 'problem' in answer) throw new Error(`stock component ${name}: ${answer?.problem}`);
    return [name, answer.manifest];
  });
  return `${JSON.stringify(Object.fromEntries(manifests))}\n`;
}
