import type { ServiceDirectory } from '../routing/resolve.ts';
import type { InitConfig } from './init-config.ts';

/**
 * The services that a configuration declares, in the form that route resolution asks for. `absent`
 * are names of start nodes whose services do not count, because there is no such child.
 */
export function directoryOf(
  {
    parentProvides,
    everyParentService,
    localServices,
    starts,
  }: Pick<InitConfig, 'parentProvides' | 'everyParentService' | 'localServices' | 'starts'>,
  absent: ReadonlySet<string> = new Set(),
): ServiceDirectory {
  const parent = new Set(parentProvides.map(({ name }) => name));
  const services = new Map<string, Set<string>>();
  const providers = new Map<string, string[]>();
  for (const { name, provides } of starts) {
    if (services.has(name) || absent.has(name)) continue;
    services.set(name, new Set(provides.map((service) => service.name)));
    for (const service of provides) {
      const others = providers.get(service.name);
      if (others === undefined) providers.set(service.name, [name]);
      else others.push(name);
    }
  }
  return {
    parentProvides: (service) => everyParentService || parent.has(service),
    localProvides: (service) => localServices.includes(service),
    childProvides: (child, service) => services.get(child)?.has(service) ?? false,
    childrenProviding: (service) => providers.get(service) ?? [],
  };
}
