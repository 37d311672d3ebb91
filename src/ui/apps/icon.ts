const SIDE = 128;
const MOST_CHARACTERS = 32 * 1024;

/**
 * @returns a data URI of the picture, at most 128 pixels wide and high and 32 KB long
 * @throws if the browser cannot read the file as a picture
 */
export async function iconFromFile(file: File): Promise<string> {
  const picture = await createImageBitmap(file);
  for (let side = SIDE; ; side /= 2) {
    const icon = scaled(picture, side);
    if (icon.length <= MOST_CHARACTERS) {
      picture.close();
      return icon;
    }
  }
}

function scaled(picture: ImageBitmap, side: number): string {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext('2d')?.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/png');
}
