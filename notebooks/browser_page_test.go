package notebooks_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// helpers are functions that the tests call in the page.
const helpers = `
// nb is the notebook on show.
globalThis.nb = () => [...jupyterapp.shell.widgets("main")].find(w => w.sessionContext && w.content?.widgets)

// codeCells are its code cells.
globalThis.codeCells = () => nb().content.widgets.filter(c => c.model.type === "code")

// drawn are the pictures in the outputs below a node.
globalThis.drawn = node => [...node.querySelectorAll(".jp-OutputArea-output img, .jp-OutputArea-output svg")]

// outputs describes what a code cell shows.
globalThis.outputs = cell => ({
	count: cell.model.executionCount ?? 0,
	source: cell.model.sharedModel.getSource(),
	errors: [...cell.node.querySelectorAll(
		'[data-mime-type="application/vnd.jupyter.stderr"], [data-mime-type="application/vnd.jupyter.error"]')].map(e => e.innerText),
	pictures: drawn(cell.node).map(e => { const box = e.getBoundingClientRect()
		return {loaded: e.tagName.toLowerCase() === "svg" || e.complete && e.naturalWidth > 0, width: box.width, height: box.height} }),
})

// shown says whether all that a cell has put out is in the page, its pictures loaded:
// JupyterLab draws an output a moment after it has come.
globalThis.shown = cell => {
	const areas = [...cell.outputArea.node.querySelectorAll(".jp-OutputArea-output")].filter(e => e.innerText.trim() || drawn(e.parentNode).length)
	return areas.length === cell.outputArea.model.length && outputs(cell).pictures.every(p => p.loaded)
}

// ran says whether all code cells have run.
globalThis.ran = () => codeCells().every(c => c.model.executionCount > 0 && c.model.executionState === "idle")

// watch notes the progress bars and the pictures that come and go in cells that are running.
globalThis.watch = () => {
	globalThis.seen = {bars: [], pictures: []}
	const note = (list, item) => { if (!list.includes(item)) list.push(item) }
	new MutationObserver(() => codeCells().forEach((cell, i) => {
		if (cell.model.executionState !== "running") return
		cell.node.querySelectorAll("progress").forEach(e => note(seen.bars, i + ": " + e.value))
		cell.node.querySelectorAll("img").forEach(e => note(seen.pictures, i + ": " + e.src))
	})).observe(nb().node, {childList: true, subtree: true})
}

// controls are the selects and ranges in the outputs, by the text of their labels.
globalThis.controls = () => [...nb().node.querySelectorAll(".jp-OutputArea-output :is(select, input)")].map(e => ({
	element: e,
	label: [...e.labels?.[0]?.childNodes ?? []].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data).join("").trim(),
	cell: e.closest(".jp-Cell"),
}))

// until waits for an expression to be true. It looks at every change of the page,
// and now and then, for not all that JupyterLab knows is in the page.
globalThis.until = expression => new Promise(done => {
	const true_ = () => { try { return eval(expression) } catch { return false } } // what it looks at is not there yet
	const look = () => {
		if (!true_()) return
		observer.disconnect()
		clearInterval(timer)
		document.removeEventListener("load", look, true)
		done()
	}
	const observer = new MutationObserver(look), timer = setInterval(look, 500)
	observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true})
	document.addEventListener("load", look, true)
	look()
})

// idle waits until a kernel is, and asks the server, for no notebook need be open.
globalThis.idle = async id => {
	const kernels = jupyterapp.serviceManager.kernels
	do await kernels.refreshRunning()
	while ([...kernels.running()].find(k => k.id === id).execution_state !== "idle")
}

// choose gives a control a value as a user does, for a select how the text of
// an option begins, and says after how many milliseconds its cell's picture was another.
globalThis.choose = async (label, value) => {
	const c = controls().find(c => c.label === label)
	if (!c) throw new Error("no control " + label + ", there are: " + controls().map(c => c.label))
	const option = [...c.element.options ?? []].find(o => o.text.startsWith(value))
	if (c.element.options && !option) throw new Error("no option " + value + " of " + label)
	const picture = () => drawn(c.cell).map(e => e.src ?? e.outerHTML).join()
	const before = picture(), start = performance.now()
	c.element.value = option ? option.value : value
	c.element.dispatchEvent(new Event("input", {bubbles: true}))
	c.element.dispatchEvent(new Event("change", {bubbles: true}))
	globalThis.changed = () => ![before, ""].includes(picture())
	await until("changed()")
	return performance.now() - start
}
`

// eval runs JavaScript in the page and returns its value, that of a promise
// when it has come.
func eval[T any](l *lab, script string) (T, error) {
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// is waits until a JavaScript expression is true, and fails the test with a
// screenshot when it does not come true.
func (l *lab) is(what, expression string) {
	l.t.Helper()
	start := time.Now()
	for {
		_, err := eval[chromedp.Void](l, fmt.Sprintf(`until(%q)`, expression))
		if err == nil {
			return
		}
		if strings.Contains(err.Error(), "navigated") || strings.Contains(err.Error(), "context was destroyed") {
			continue // the page loads: look at the next
		}
		l.t.Fatalf("waited %.0f s for %s: %v; screenshot %s", time.Since(start).Seconds(), what, err, l.screenshot("failed_"+strings.ReplaceAll(l.t.Name(), "/", "_")))
	}
}

// open shows a notebook and waits until it is connected to its kernel, which
// is chosen in JupyterLab's dialog if it asks.
func (l *lab) open(name string) {
	l.t.Helper()
	if err := chromedp.Do(l.tab, chromedp.Navigate(l.base+"lab/tree/"+url.PathEscape(name)+"?reset&token="+l.token)); err != nil {
		l.t.Fatal(err)
	}
	l.is("JupyterLab to show "+name, `nb().content.widgets.length > 0 && nb().content.isVisible`)
	l.do(`jupyterapp.shell.activateById(nb().id)`)
	l.is(name+" to be the current document", `jupyterapp.shell.currentWidget === nb()`)
	l.is("the kernel of "+name, `(() => {
		const dialog = document.querySelector(".jp-Dialog"), select = dialog?.querySelector("select")
		if (select) {
			select.value = [...select.options].find(o => o.text.includes("Go CAM · XLA CPU")).value
			dialog.querySelector(".jp-mod-accept").click()
		}
		const session = nb().sessionContext
		return !dialog && session.isReady && session.session?.kernel?.connectionStatus === "connected"
	})()`)
}

// do runs JavaScript in the page.
func (l *lab) do(script string) {
	l.t.Helper()
	if _, err := eval[chromedp.Void](l, script); err != nil {
		l.t.Fatalf("%s: %v", script, err)
	}
}

// menu clicks on an item of a menu and waits until its command runs. A menu closes
// again when JupyterLab moves the focus just then, and is opened anew.
func (l *lab) menu(name, item string) {
	l.t.Helper()
	l.do(`if (!globalThis.executed) { globalThis.executed = 0; jupyterapp.commands.commandExecuted.connect(() => executed++) }`)
	l.do(`globalThis.before = executed; globalThis.shown = text => [...document.querySelectorAll(".lm-Menu-itemLabel")].some(e => e.innerText === text)`)
	for {
		l.click(".lm-MenuBar-itemLabel", name)
		l.is("menu "+name+" to open or close", fmt.Sprintf(`shown(%q) || !document.querySelector(".lm-Menu")`, item))
		if !l.click(".lm-Menu-itemLabel", item) {
			continue
		}
		l.is(item+" to run or its menu to close", `executed > before || !document.querySelector(".lm-Menu")`)
		if run, err := eval[bool](l, `executed > before`); err != nil || run {
			return
		}
	}
}

// click clicks on the element with the given text, if it is displayed. The
// mouse is moved there first: JupyterLab's menus take only the item under it.
func (l *lab) click(selector, text string) bool {
	l.t.Helper()
	at, err := eval[*struct{ X, Y, Width, Height float64 }](l,
		fmt.Sprintf(`(() => {
			const e = [...document.querySelectorAll(%q)].find(e => e.innerText === %q)
			e?.scrollIntoView({block: "nearest"})
			return e?.getBoundingClientRect().toJSON()
		})()`, selector, text))
	if err != nil {
		l.t.Fatal(err)
	}
	if at == nil || at.Width == 0 {
		return false
	}
	x, y := at.X+at.Width/2, at.Y+at.Height/2
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y)); err != nil {
		l.t.Fatalf("%s: %v", text, err)
	}
	return true
}

// runAll runs all cells by the menu.
func (l *lab) runAll() {
	l.t.Helper()
	l.menu("Run", "Run All Cells")
	l.is("the cells to start", `codeCells().some(c => c.model.executionState === "running" || c.model.executionCount > 0)`)
}

// outputs is what one code cell shows.
type outputs struct {
	Count    int // execution count
	Source   string
	Errors   []string
	Pictures []struct {
		Loaded        bool
		Width, Height float64 // as displayed
	}
}

// ran waits until every code cell has run, and returns what they show.
func (l *lab) ran() []outputs {
	l.t.Helper()
	l.is("all cells to run", `ran()`)
	// A picture is shown a moment after its output has come.
	l.is("the pictures to load", `codeCells().flatMap(c => outputs(c).pictures).every(p => p.loaded)`)
	all, err := eval[[]outputs](l, `codeCells().map(outputs)`)
	if err != nil {
		l.t.Fatal(err)
	}
	return all
}

// show scrolls a code cell's output to the top of the window and takes a
// picture of it.
func (l *lab) show(cell int, name string) {
	l.t.Helper()
	l.do(fmt.Sprintf(`codeCells()[%d].outputArea.node.scrollIntoView({block: "start"})`, cell))
	l.t.Log(l.screenshot(name))
}

// choose gives a labelled control in an output a value, waits until the
// picture of that cell is another, and returns how long that took.
func (l *lab) choose(label, value string) time.Duration {
	l.t.Helper()
	ms, err := eval[float64](l, fmt.Sprintf(`choose(%q, %q)`, label, value))
	if err != nil {
		l.t.Fatalf("%v; screenshot %s", err, l.screenshot("failed_"+l.t.Name()))
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// screenshot takes a picture of the window.
func (l *lab) screenshot(name string) string {
	path := filepath.Join(l.shots, name+".png")
	ctx, cancel := context.WithTimeout(l.tab, time.Minute) // a page that hangs must not keep the failure
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return err.Error()
	}
	if err := os.WriteFile(path, png, 0o644); err != nil {
		return err.Error()
	}
	return path
}

// press presses keys, as a person does.
func (l *lab) press(keys string, modifiers ...chromedp.Modifier) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.tab, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.KeyEvent(keys, chromedp.KeyModifiers(modifiers...))); err != nil {
		l.t.Fatalf("%q: %v", keys, err)
	}
}
