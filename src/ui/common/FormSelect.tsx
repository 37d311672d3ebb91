import { Select, type SelectProps } from 'antd';

/** Without what `Form.Item` adds for required fields, which the element that antd puts it on must not have. */
export function FormSelect({ 'aria-required': _, ...props }: SelectProps) {
  return <Select {...props} />;
}
