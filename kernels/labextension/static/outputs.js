// What JupyterLab 4.6 leaves out of its outputs: an image's alternative text,
// which the notebook's format keeps in the output's metadata, and printed lines and values
// that stay lines. It is written as the module that JupyterLab's loader expects, so
// that nothing has to build it.
(() => {
  let shared;
  const module = async name => (await Object.values(shared[name])[0].get())();

  const style = `
.jp-OutputArea-output:is([data-mime-type="application/vnd.jupyter.stdout"], [data-mime-type="text/plain"]) > pre {
  white-space: pre; word-break: normal; overflow-wrap: normal; overflow-x: auto;
}`;

  const images = ["image/png", "image/jpeg", "image/gif", "image/webp"];

  // describe gives a rendered image the alternative text of its output.
  const describe = (renderer, mimeType) => {
    const render = renderer.renderModel.bind(renderer);
    renderer.renderModel = async model => {
      await render(model);
      const alt = model.metadata?.[mimeType]?.alt;
      if (typeof alt === "string") renderer.node.querySelector("img")?.setAttribute("alt", alt);
    };
    return renderer;
  };

  const extension = async () => {
    const { IRenderMimeRegistry, imageRendererFactory } = await module("@jupyterlab/rendermime");
    return {
      id: "camlab-outputs:plugin",
      autoStart: true,
      requires: [IRenderMimeRegistry],
      activate: (_, registry) => {
        registry.addFactory({
          ...imageRendererFactory,
          mimeTypes: images,
          createRenderer: options => describe(imageRendererFactory.createRenderer(options), options.mimeType),
        }, imageRendererFactory.defaultRank);
        document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
      },
    };
  };

  (globalThis._JUPYTERLAB ??= {})["camlab-outputs"] = {
    init: scope => { shared = scope; },
    get: async () => { const plugin = await extension(); return () => ({ __esModule: true, default: plugin }); },
  };
})();
