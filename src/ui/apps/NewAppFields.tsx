import { Collapse, Divider, Form } from 'antd';
import { type ReactNode, useEffect } from 'react';
import type { NewAppPlan } from '../../shared/move';
import { messageText } from '../common/errors';
import { FormSelect } from '../common/FormSelect';
import { placeOption } from '../common/MoveTarget';
import { useIsLocal } from '../common/Page';
import { useT } from '../host';
import { AdministratorFields } from './AdministratorFields';
import { AdvancedFields, DisplayFields, IdentityFields, LanguageField, StartModeField, TargetField } from './AppFields';
import { DatabaseFields } from './DatabaseFields';
import { FailoverFields } from './FailoverFields';
import type { AppValues } from './form';
import { SsoFields } from './SsoFields';
import { ADVANCED, type AdvancedSection } from './sections';
import { VisibilityFields } from './VisibilityFields';

interface Props {
  plan: NewAppPlan | undefined;
  adopt: () => void;
  open: AdvancedSection[];
  setOpen: (sections: AdvancedSection[]) => void;
}

/** A name is enough: all else has a value, which is shown, or folded away. */
export function NewAppFields({ plan, adopt, open, setOpen }: Props) {
  const t = useT();
  const isLocal = useIsLocal();
  const [environment] = Form.useWatch<string[] | undefined>('environments') ?? [];
  const sections: Partial<Record<AdvancedSection, ReactNode>> = {
    general: (
      <>
        <LanguageField />
        <StartModeField />
      </>
    ),
    administrator: <AdministratorFields />,
    database: <DatabaseFields adopt={adopt} environment={environment ?? plan?.environment ?? null} />,
    upgrade: <AdvancedFields />,
    ...(isLocal ? {} : { failover: <FailoverFields /> }),
    display: (
      <>
        <DisplayFields />
        <VisibilityFields />
      </>
    ),
    sso: <SsoFields />,
  };
  return (
    <>
      <IdentityFields isNew />
      {!isLocal && <PlaceFields plan={plan} />}
      <Divider orientation="left" orientationMargin={0}>
        {t('Advanced')}
      </Divider>
      <Collapse
        ghost
        size="small"
        activeKey={open}
        onChange={(keys) => setOpen([keys].flat() as AdvancedSection[])}
        items={Object.entries(sections).map(([name, children]) => ({
          key: name,
          label: <span data-testid={`advanced-${name}`}>{t(ADVANCED[name as AdvancedSection])}</span>,
          children,
          // Folded fields have values, too.
          forceRender: true,
        }))}
      />
    </>
  );
}

function PlaceFields({ plan }: { plan: NewAppPlan | undefined }) {
  const t = useT();
  const chosen = Form.useWatch<string[] | undefined>('environments') ?? [];
  const form = Form.useFormInstance<AppValues>();
  useEffect(() => {
    const target = form.getFieldValue('targetEnvironment');
    if (chosen.length && !(target && chosen.includes(target))) form.setFieldValue('targetEnvironment', chosen[0]);
  }, [form, chosen]);
  const refusal = plan?.places.find((place) => place.refusal)?.refusal;
  const nowhere = !plan?.places.length
    ? t('No environment has registered yet. Add one on the Environments tab.')
    : t('No environment takes new apps.');
  return (
    <>
      <Form.Item
        name="environments"
        label={t('Environments')}
        tooltip={t('Usually one. Select several only if the services of the app are split between them.')}
        extra={plan?.environment === null && [nowhere, refusal && messageText(t, refusal)].filter(Boolean).join(' ')}
      >
        <FormSelect
          mode="multiple"
          loading={!plan}
          placeholder={
            !plan
              ? t('Loading…')
              : plan.environment !== null && t('Best place ({{environment}})', { environment: plan.environment })
          }
          options={plan?.places.map((place) => placeOption(t, place))}
        />
      </Form.Item>
      {chosen.length > 1 && <TargetField chosen={chosen} />}
    </>
  );
}
