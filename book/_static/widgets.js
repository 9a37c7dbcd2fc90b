// The widgets' loader asks for modules and fonts by the names of their packages: answer with what lies beside this file.
const offline = new URL("offline", document.currentScript.src).href;
require.config({
  paths: { anywidget: `${offline}/anywidget`, "@jupyter-widgets": offline, "@jupyter-widgets/html-manager/dist": offline },
});
