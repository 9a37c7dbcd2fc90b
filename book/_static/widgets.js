// The widgets' loader asks for "anywidget" by name: answer with the copy that lies beside this file.
require.config({ paths: { anywidget: new URL("offline/anywidget", document.currentScript.src).href } });
