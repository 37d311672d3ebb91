/** The bundler and the test runner import a script as its text. */
declare module '*.lua' {
  const text: string;
  export default text;
}
