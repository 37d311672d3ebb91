import type { BundledPackage } from '../build/licenses';

/** A software bill of materials in the form of CycloneDX, as far as it is read here. */
export interface Bill {
  bomFormat: 'CycloneDX';
  metadata: { component: Component; [field: string]: unknown };
  components: Component[];
  dependencies: { ref: string; dependsOn?: string[] }[];
  [field: string]: unknown;
}

interface Component {
  'bom-ref': string;
  name: string;
  version: string;
  [field: string]: unknown;
}

/**
 * The bill of what is in the archive, out of npm's bill of everything that is installed here. npm cannot make it alone: it
 * takes what is both bundled and needed by a peer for part of the peer.
 *
 * @param installed what `npm sbom --sbom-format cyclonedx` prints
 * @param name of the package, for which npm writes the name of its folder
 * @param bundled what the build merged into `dist`
 * @throws if npm's bill lacks something that is bundled
 */
export function billOf(installed: Bill, name: string, bundled: BundledPackage[]): Bill {
  const root = installed.metadata.component;
  const wanted = new Set(bundled.map(idOf));
  const components = uniqueById(installed.components.filter((component) => wanted.has(idOf(component))));
  const found = new Set(components.map(idOf));
  const missing = [...wanted].filter((id) => !found.has(id));
  if (missing.length) throw new Error(`npm's bill of materials lacks what is bundled: ${missing.join(', ')}.`);
  const refs = new Set([root, ...components].map((component) => component['bom-ref']));
  return {
    ...installed,
    metadata: { ...installed.metadata, component: { ...root, name } },
    components: components.map((component) => ({ ...component, scope: 'required' })),
    dependencies: installed.dependencies
      .filter(({ ref }) => refs.has(ref))
      .map(({ ref, dependsOn = [] }) => ({ ref, dependsOn: dependsOn.filter((each) => refs.has(each)) })),
  };
}

const idOf = ({ name, version }: { name: string; version: string }) => `${name}@${version}`;

/** One version may be installed in several folders. */
const uniqueById = (components: Component[]): Component[] => [
  ...new Map(components.map((component) => [idOf(component), component])).values(),
];
