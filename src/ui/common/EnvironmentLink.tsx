import { useHost } from '../host';
import { environmentPath } from './paths';
import { ENVIRONMENTS } from './snippets';
import { TextLink } from './TextLink';

/** The name of an environment; a link to its page for whoever may see that. */
export function EnvironmentLink({ name }: { name: string }) {
  const { maySee } = useHost();
  if (!maySee(ENVIRONMENTS)) return <>{name}</>;
  return (
    <TextLink to={environmentPath(name)} data-testid={`environment-link-${name}`}>
      {name}
    </TextLink>
  );
}
