
"use strict";
(() => {
	const one = (selector, within = document) => within.querySelector(selector);
	const all = (selector, within = document) => [...within.querySelectorAll(selector)];
	const list = one("#list"), form = one("#controls"), dialog = one("dialog"), items = all("article", list);
	const nameOf = item => one("h3", item).textContent;

	// Filters, order and methods.
	const names = new Intl.Collator("en", { numeric: true });
	const orders = {
		run: (a, b) => a.place - b.place,
		high: (a, b) => b.dataset.score - a.dataset.score || a.place - b.place,
		low: (a, b) => a.dataset.score - b.dataset.score || a.place - b.place,
		name: (a, b) => names.compare(nameOf(a), nameOf(b)) || a.place - b.place,
	};
	items.forEach((item, place) => { item.place = place; });
	let order = "run";
	const apply = () => {
		const want = new FormData(form);
		const part = want.get("name").trim().toLowerCase();
		const fits = (item, key) => !want.get(key) || item.dataset[key] === want.get(key);
		let shown = 0;
		for (const item of items) {
			item.hidden = !(fits(item, "predicted") && fits(item, "label") && fits(item, "answer") && nameOf(item).toLowerCase().includes(part));
			if (!item.hidden) shown++;
		}
		if (order !== want.get("order")) {
			order = want.get("order");
			const sorted = document.createDocumentFragment();
			for (const item of [...items].sort(orders[order])) sorted.append(item);
			list.append(sorted);
		}
		const methods = want.getAll("method");
		if (one("[name=method]", form)) for (const map of all(".map", list)) map.hidden = !methods.includes(map.dataset.method);
		list.classList.toggle("over", want.has("over"));
		if (want.has("over") && !one(".under", list)) underlay();
		const text = `${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")} images`;
		if (one("output", form).textContent !== text) one("output", form).textContent = text;
		one("#none").hidden = shown > 0;
	};

	// underlay puts the image below each of its maps.
	const underlay = () => {
		for (const item of items) {
			const image = one(".image img", item);
			for (const tile of all("button.tile", item)) {
				const under = image.cloneNode();
				under.alt = "";
				under.classList.replace("base", "under");
				tile.prepend(under);
			}
		}
	};
	const opacities = all("[name=opacity]");
	for (const range of opacities) {
		range.addEventListener("input", () => {
			for (const other of opacities) other.value = range.value;
			document.documentElement.style.setProperty("--opacity", range.value / 100);
		});
	}
	form.addEventListener("input", e => { if (e.target.name !== "opacity") apply(); });
	form.addEventListener("submit", e => e.preventDefault());
	form.hidden = false;
	form.reset(); // a browser that comes back to a page keeps what was chosen
	apply();

	// One map large.
	let item = null, map = null; // on show
	const mapsOf = item => all(".map:not([hidden])", item);
	const shownItems = () => all("article:not([hidden])", list);
	const put = (name, set) => all(`[data-show=${name}]`, dialog).forEach(set);
	const copy = from => to => {
		to.src = from.src;
		to.width = from.width;
		to.height = from.height;
		to.classList.toggle("square", from.classList.contains("square"));
		if (to.matches(".large > figure > img")) to.alt = from.alt;
	};
	const show = (nextItem, nextMap) => {
		item = nextItem;
		map = nextMap;
		one("h2", dialog).textContent = nameOf(item);
		one(".said", dialog).replaceChildren(...one(".said", item).cloneNode(true).childNodes);
		put("image", copy(one(".image img", item)));
		for (const part of all(".of-map", dialog)) part.hidden = !map;
		if (map) {
			const { method, kind, low, high, link } = map.dataset, picture = one("img.base", map);
			put("map", copy(picture));
			put("caption", e => e.replaceChildren(...one("figcaption", map).cloneNode(true).childNodes));
			put("low", e => { e.textContent = low; });
			put("high", e => { e.textContent = high; });
			put("unit", e => { e.textContent = one("#unit" + method).textContent; });
			put("where", e => { e.textContent = picture.alt; });
			put("link", e => { e.hidden = !link; e.href = link; });
			one(".bar", dialog).className = "bar " + kind;
		}
		const shown = shownItems(), at = shown.indexOf(item);
		// Not disabled, which would take the focus away.
		one("[data-step='-1']", dialog).ariaDisabled = at === 0;
		one("[data-step='1']", dialog).ariaDisabled = at === shown.length - 1;
		const maps = mapsOf(item), which = maps.length > 1 ? `, map ${maps.indexOf(map) + 1} of ${maps.length}` : "";
		one("[role=status]", dialog).textContent = `${nameOf(item)}: image ${at + 1} of ${shown.length}${which}`;
		if (!dialog.open) dialog.showModal();
	};
	const step = by => {
		const shown = shownItems(), next = shown[shown.indexOf(item) + by];
		if (!next) return;
		const maps = mapsOf(next), which = mapsOf(item).indexOf(map);
		show(next, maps[Math.min(which, maps.length - 1)] ?? null);
	};
	list.addEventListener("click", e => {
		const tile = e.target.closest(".tile");
		if (!tile) return;
		const clicked = tile.closest("article");
		show(clicked, tile.closest(".map") ?? mapsOf(clicked)[0] ?? null);
	});
	dialog.addEventListener("click", e => {
		if (e.target === dialog || e.target.closest("[data-close]")) return dialog.close();
		const button = e.target.closest("[data-step]");
		if (button) step(Number(button.dataset.step));
	});
	dialog.addEventListener("keydown", e => {
		if (e.ctrlKey || e.altKey || e.metaKey || e.target.matches("input")) return;
		if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
			step(e.key === "ArrowLeft" ? -1 : 1);
		} else if (e.key === "ArrowUp" || e.key === "ArrowDown") {
			const maps = mapsOf(item), next = maps[maps.indexOf(map) + (e.key === "ArrowUp" ? -1 : 1)];
			if (next) show(item, next);
		} else return;
		e.preventDefault();
	});
	dialog.addEventListener("close", () => { // to where one has come
		item.scrollIntoView({ block: "nearest" });
		(one("button", map ?? item) ?? list).focus();
	});
})();
