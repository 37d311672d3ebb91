import { Modal, type ModalProps } from 'antd';
import { useFocusReturn } from './useFocusReturn';

/** A dialog that is there as long as it is asked for, and then gives the focus back. */
export function Dialog(props: Omit<ModalProps, 'open'>) {
  useFocusReturn();
  return <Modal open {...props} />;
}
