import { Select, type SelectProps } from 'antd';

/** On a phone, options that are wider than their field are shifted into sight: antd turns them to a side where they are cut. */
const INTO_SIGHT = { adjustX: 0, adjustY: 1, shiftX: true } as const;
const PLACEMENTS: SelectProps['builtinPlacements'] = {
  bottomLeft: { points: ['tl', 'bl'], offset: [0, 4], overflow: INTO_SIGHT },
  topLeft: { points: ['bl', 'tl'], offset: [0, -4], overflow: INTO_SIGHT },
};

/**
 * Removes `aria-required`, which `Form.Item` adds to required fields: antd puts it on an element that must not have it.
 */
export function FormSelect({ 'aria-required': _, ...props }: SelectProps) {
  return <Select builtinPlacements={PLACEMENTS} dropdownStyle={{ maxWidth: 'calc(100vw - 16px)' }} {...props} />;
}
