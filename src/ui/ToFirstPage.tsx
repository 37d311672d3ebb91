import { Navigate, useLocation } from 'react-router-dom';
import { SETTINGS } from './settings';

/** In the modern client the first page has no name of its own in its address. */
export default function ToFirstPage() {
  const { search } = useLocation();
  return <Navigate to={`/admin/settings/${SETTINGS.menu.key}${search}`} replace />;
}
