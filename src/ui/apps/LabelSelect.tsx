import { useRequest } from 'ahooks';
import type { SelectProps } from 'antd';
import { LABEL } from '../../shared/names';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { type Translate, useHost } from '../host';

/** In characters. */
const LONGEST = 50;

interface Props {
  /** Of the field, which a form gives it. */
  id?: string;
  value?: string[];
  onChange?: (labels: string[]) => void;
  'aria-label'?: string;
}

/** Labels, of those that apps have and new ones. */
export function LabelSelect({ onChange, ...rest }: Props) {
  const { t, language } = useHost();
  const api = useApi();
  const { data } = useRequest(() => api.listLabels().catch(() => []));
  return (
    <FormSelect
      {...rest}
      mode="tags"
      tokenSeparators={[',', '，']}
      placeholder={t('For example trial or customer:acme')}
      notFoundContent={null}
      onChange={(labels: string[]) => onChange?.(tidied(labels))}
      options={labelOptions(data ?? [], language)}
    />
  );
}

/** As the server stores them. */
export const tidied = (labels: string[]): string[] => [
  ...new Set(labels.map((label) => label.trim()).filter((label) => label !== '')),
];

export const labelOptions = (labels: readonly string[], language: string): NonNullable<SelectProps['options']> =>
  labels.toSorted(new Intl.Collator(language, { numeric: true }).compare).map((value) => ({ value, label: value }));

/** A rule of a form's field. */
export const labelRule = (t: Translate) => ({
  validator: async (_: unknown, labels: string[] = []) => {
    const wrong = labels.find((label) => label.length > LONGEST || !LABEL.test(label));
    if (wrong !== undefined)
      throw new Error(
        t('"{{label}}": use at most 50 letters, digits, spaces and . _ : / @ + -, and a letter or digit at both ends', {
          label: wrong,
        }),
      );
  },
});
