import type { MountOptions } from './options.ts';

/** What a config calls them; all else in it has relative paths from the working directory. */
interface MountPaths {
  readonly image: string;
  readonly directory: string;
}

/**
 * The config of a system that mounts an image: the image's disk, the partition if one is wanted,
 * the file system, and the mount. It ends when the mount does.
 */
export function mountConfig(options: MountOptions, { image, directory }: MountPaths): string {
  const { partition, readOnly, allowOther, uid, gid, umask, type, ram } = options;
  const writeable = readOnly ? 'no' : 'yes';
  const access = readOnly ? 'ro' : 'rw';
  const attributes = Object.entries({ mount: directory, writeable, uid, gid, umask })
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}="${escaped(value)}"`]))
    .concat(allowOther ? ['allow_other="yes"'] : []);
  const parts =
    partition === undefined
      ? ''
      : `
  <start name="partitions">
    <binary name="part_block"/>
    <provides> <service name="Block"/> </provides>
    <config> <policy label_prefix="fs" partition="${partition}" writeable="${writeable}"/> </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;
  return `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default-route> <any-service> <parent/> <any-child/> </any-service> </default-route>
  <default caps="200" ram="8M"/>

  <start name="disk" ram="16M">
    <binary name="image_block"/>
    <provides> <service name="Block"/> </provides>
    <host> <file path="${escaped(image)}" access="${access}"/> </host>
    <config file="${escaped(image)}" writeable="${writeable}"/>
  </start>
${parts}
  <start name="fs" ram="${escaped(ram)}">
    <binary name="rumpfs"/>
    <provides> <service name="File_system"/> </provides>
    <config fs="${escaped(type ?? 'auto')}"> <policy label_prefix="mount" root="/" writeable="${writeable}"/> </config>
    <route>
      <service name="Block"> <child name="${partition === undefined ? 'disk' : 'partitions'}"/> </service>
      <any-service> <parent/> </any-service>
    </route>
  </start>

  <start name="mount" ram="8M">
    <binary name="fuse"/>
    <exit propagate="yes"/>
    <host> <mount path="${escaped(directory)}"/> </host>
    <config ${attributes.join(' ')}/>
    <route> <service name="File_system"> <child name="fs"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
</config>
`;
}

/** A text as the value of an attribute. */
function escaped(text: string): string {
  return text.replaceAll(/[&<>"\n\t\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}
