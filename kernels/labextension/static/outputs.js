// What JupyterLab 4.6 leaves out of its outputs: an image's alternative text,
// which the notebook's format keeps in the output's metadata, and printed lines and values
// that stay lines. And cards of the launcher for the notebooks to begin with. It is
// written as the module that JupyterLab's loader expects, so that nothing has to build it.
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

  // begin are the notebooks that the launcher offers where they are in the folder served,
  // or in its folder notebooks.
  const begin = [
    ["00_start_here.ipynb", "Start here"],
    ["00_notebooks_for_gophers.ipynb", "Notebooks, for Go people"],
    ["00_go_for_notebook_people.ipynb", "Go, for notebook people"],
    ["01_article.ipynb", "The article"],
  ];

  const launcher = async () => {
    const { ILauncher } = await module("@jupyterlab/launcher");
    const { notebookIcon } = await module("@jupyterlab/ui-components");
    return {
      id: "camlab-outputs:launcher",
      autoStart: true,
      optional: [ILauncher],
      activate: async (app, launcher) => {
        if (!launcher) return;
        app.commands.addCommand("camlab:begin", {
          label: args => args.label,
          caption: args => args.path,
          icon: notebookIcon,
          execute: args => app.commands.execute("docmanager:open", { path: args.path }),
        });
        for (const folder of ["", "notebooks/"]) {
          const found = await app.serviceManager.contents.get(folder, { content: true }).catch(() => null);
          const names = new Set((found?.content ?? []).map(e => e.name));
          const cards = begin.filter(([name]) => names.has(name));
          cards.forEach(([name, label], rank) =>
            launcher.add({ command: "camlab:begin", args: { path: folder + name, label }, category: "camlab", rank }));
          if (cards.length > 0) return;
        }
      },
    };
  };

  (globalThis._JUPYTERLAB ??= {})["camlab-outputs"] = {
    init: scope => { shared = scope; },
    get: async () => { const plugins = [await extension(), await launcher()]; return () => ({ __esModule: true, default: plugins }); },
  };
})();
