import { UploadOutlined } from '@ant-design/icons';
import { Button, Space, Upload } from 'antd';
import { AppAvatar } from '../common/AppAvatar';
import { useHost } from '../host';
import { iconFromFile } from './icon';

interface Props {
  id?: string;
  value?: string | null;
  onChange?: (icon: string | null) => void;
  name: () => string;
  title: () => string;
}

/** The browser scales the icon down, and the app's row stores it, so that every environment and visitor can see it. */
export function IconField({ id, value = null, onChange, name, title }: Props) {
  const { t, failure } = useHost();
  const take = async (file: File) => {
    try {
      onChange?.(await iconFromFile(file));
    } catch {
      failure(t('This file is not a valid picture.'));
    }
  };
  return (
    <Space>
      <AppAvatar app={{ name: name(), title: title(), icon: value }} size={48} />
      <Upload
        id={id}
        accept="image/png,image/jpeg,image/webp"
        showUploadList={false}
        beforeUpload={(file) => {
          void take(file);
          return false;
        }}
      >
        <Button icon={<UploadOutlined />}>{t('Upload')}</Button>
      </Upload>
      {value && <Button onClick={() => onChange?.(null)}>{t('Remove')}</Button>}
    </Space>
  );
}
