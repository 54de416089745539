// Hydrogen, whole: its root view, told of the homeserver by the address of the page.
import { FeatureSet, Platform, RootViewModel, createNavigation, createRouter } from "hydrogen-view-sdk";
import "hydrogen-view-sdk/theme-element-light.css";

const platform = new Platform({
  container: document.getElementById("app"),
  assetPaths: {
    downloadSandbox: "assets/download-sandbox.html",
    worker: "assets/worker.js",
    serviceWorker: "sw.js",
    olm: { wasm: "assets/olm.wasm", legacyBundle: "assets/olm_legacy.js", wasmBundle: "assets/olm.js" },
  },
  config: { defaultHomeServer: new URLSearchParams(location.search).get("homeserver") },
  options: { development: false },
});
await platform.init();
const navigation = createNavigation();
platform.setNavigation(navigation);
const urlRouter = createRouter({ navigation, history: platform.history });
urlRouter.attach();
const features = await FeatureSet.load(platform.settingsStorage);
const root = new RootViewModel({ platform, urlRouter, navigation, features });
await root.load();
platform.createAndMountRootView(root);
