import { Select, type SelectProps } from 'antd';

/**
 * Removes `aria-required`, which `Form.Item` adds to required fields: antd puts it on an element that must not have it.
 */
export function FormSelect({ 'aria-required': _, ...props }: SelectProps) {
  return <Select {...props} />;
}
