package notebooks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// explore runs the explorer's cell and waits until its form is heard.
func (l *lab) explore(run func()) {
	l.t.Helper()
	run()
	l.is("the explorer to be connected", `controls().length === 5 && controls()[0].cell.innerText.includes("the picture follows")`)
	l.do(`globalThis.explorer = controls()[0].cell; explorer.scrollIntoView({block: "start"})`)
}

// runLast selects the last cell, which is the explorer's, and runs it.
func (l *lab) runLast() {
	l.t.Helper()
	l.do(`nb().content.activeCellIndex = nb().content.widgets.length - 1; nb().content.deselectAll(); nb().content.mode = "command"; nb().content.activate()`)
	l.do(`void jupyterapp.commands.execute("notebook:run-cell")`) // its promise ends with the cell
}

// ends waits until the kernel is idle and the explorer's controls are gone.
func (l *lab) ends(how string) {
	l.t.Helper()
	start := time.Now()
	l.is("the kernel to be idle: "+how, `nb().sessionContext.session.kernel.status === "idle"`)
	l.is("the controls to go: "+how, `controls().length === 0`)
	l.t.Logf("%s: idle after %.1f s", how, time.Since(start).Seconds())
}

// cells describes the notebook's cells, the mode and what has the focus.
const cells = `nb().content.widgets.map(c => c.model.type).join() + " " + codeCells().map(c => c.model.executionCount).join() + " " +
	nb().content.mode + " " + document.activeElement.name`

// TestNotebookExplorerInBrowser asks the explorer by its controls, with mouse and
// keys. Whatever ends it, what was seen last stays, and the kernel is free again.
func TestNotebookExplorerInBrowser(t *testing.T) {
	t.Parallel()
	const name = "03_explorer.ipynb"
	l := startLab(t)
	l.open(name)
	l.explore(l.runAll)
	for _, c := range []struct{ label, value, want string }{
		{"Image", "2:", "score"},
		{"Opacity", "90", "score"},
		{"Why", "cat", "spoke for cat"},
		{"but not", "dog", "blue for dog"},
		{"Method", "gradcam", "gradcam shows nothing that spoke against it"},
	} {
		t.Logf("%s = %s: another picture after %d ms", c.label, c.value, l.choose(c.label, c.value).Milliseconds())
		l.is(fmt.Sprintf("%s = %s to be answered with %q", c.label, c.value, c.want), fmt.Sprintf(`explorer.innerText.includes(%q)`, c.want))
	}
	t.Log(l.screenshot("03_explorer_asked"))
	l.do(`globalThis.last = drawn(explorer).at(-1).src`)
	if !l.click(".jp-OutputArea-output button", "Done") {
		t.Error("no button Done")
	}
	for i, cell := range l.ran() {
		if len(cell.Errors) > 0 {
			t.Errorf("code cell %d: error output %q", i+1, cell.Errors)
		}
	}
	l.ends("Done")
	l.is("the last picture to stay", `drawn(explorer).length === 1 && drawn(explorer)[0].src.replace(/\s/g, "") === last`)
	t.Log(l.screenshot("03_explorer_done"))

	l.keys()
	l.sight()
	for _, end := range []struct {
		how string
		do  func()
	}{
		{"interrupted", func() { l.menu("Kernel", "Interrupt Kernel") }},
		{"output cleared", func() { l.menu("Edit", "Clear Cell Output") }},
		{"cell deleted", func() { l.menu("Edit", "Delete Cell") }},
	} {
		l.explore(l.runLast)
		end.do()
		l.ends(end.how)
	}
	l.menu("Edit", "Undo Cell Operation")
	l.is("the explorer's cell to be back", `codeCells().length === 6`)

	// Run again while it runs: the first ends, the second is there.
	l.explore(l.runLast)
	l.do(`globalThis.first = controls()[0].element.form.id`)
	l.explore(func() {
		l.runLast()
		l.is("another explorer", `controls().length === 5 && controls()[0].element.form.id !== first`)
	})

	// Saved while it runs, closed and opened again.
	l.reopened("the notebook closed", func() {
		l.do(`globalThis.kernel = nb().sessionContext.session.kernel.id; nb().context.save()`)
		l.menu("File", "Close Tab")
		l.is("the notebook to be closed", `!nb()`)
		l.do(`idle(kernel)`)
		l.do(fmt.Sprintf(`void jupyterapp.commands.execute("docmanager:open", {path: %q})`, name))
		l.is("the notebook to be open again", `nb().content.widgets.length > 0 && nb().sessionContext.session?.kernel?.connectionStatus === "connected"`)
	})
	l.reopened("the page loaded anew", func() {
		l.do(`nb().context.save()`)
		kernel, err := eval[string](l, `nb().sessionContext.session.kernel.id`)
		if err != nil {
			t.Fatal(err)
		}
		l.open(name)
		l.do(fmt.Sprintf(`idle(%q)`, kernel))
	})
}

// keys presses the keys that JupyterLab has a use for on each of the explorer's
// controls, and wants the controls to have them, and the notebook as it was.
func (l *lab) keys() {
	t := l.t
	t.Helper()
	l.explore(l.runLast)
	l.do(`controls()[0].element.focus(); nb().content.widgets[0].node.dataset.mark = "same"`)
	wants := func(after, name string) {
		t.Helper()
		l.is(fmt.Sprintf("the focus on %s after %s", name, after), fmt.Sprintf(`(document.activeElement.name || document.activeElement.innerText) === %q`, name))
	}
	another := func(after string) {
		t.Helper()
		l.is("another picture after "+after, `drawn(explorer).at(-1)?.src !== picture && drawn(explorer).length > 0`)
	}
	before, err := eval[string](l, cells)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, arrow, letters, value string }{
		{"image", kb.ArrowDown, "", "1"},
		{"class", kb.ArrowDown, "do", "dog"},
		{"rival", kb.ArrowDown, "tr", "truck"},
		{"method", kb.ArrowDown, "hires", "hirescam"},
		{"opacity", kb.ArrowRight, "", "51"},
	} {
		wants("Tab", c.name)
		l.do(`globalThis.picture = drawn(explorer).at(-1).src`)
		l.press(c.arrow)
		another("an arrow on " + c.name)
		if c.letters != "" {
			l.press(c.letters)
		}
		l.is(fmt.Sprintf("%s to have the value %s", c.name, c.value), fmt.Sprintf(`document.activeElement.value === %q`, c.value))
		for _, key := range []string{kb.Enter, "x", "z", "m", "y", "r", "a", "b", "d", "d", "0", "0", "j", "k", "l", "o", "c", "v"} {
			l.press(key)
		}
		l.press(kb.Enter, chromedp.ModifierShift)
		l.press(kb.Enter, chromedp.ModifierCtrl)
		after, err := eval[string](l, cells)
		if err != nil {
			t.Fatal(err)
		}
		if want := before[:strings.LastIndex(before, " ")+1] + c.name; after != want {
			t.Errorf("keys on %s: cells, mode and focus are %q, want %q; screenshot %s", c.name, after, want, l.screenshot("failed_keys"))
		}
		l.press(kb.Tab)
	}
	wants("Tab", "Done")
	l.press(kb.Tab, chromedp.ModifierShift)
	wants("Shift+Tab", "opacity")
	l.is("the words for a screen reader", `explorer.querySelector(".camlab-spoken[role=status]").textContent.includes("score")`)

	// The page's own keys are still the page's.
	l.is("the notebook to be changed", `nb().context.model.dirty`)
	l.press("s", chromedp.ModifierCtrl)
	l.is("Ctrl+S to save the notebook", `!nb().context.model.dirty`)
	wants("Ctrl+S", "opacity")

	// Escape gives the keys to the notebook.
	l.press(kb.Escape)
	l.is("the notebook to have the focus after Escape", `!document.activeElement.form && nb().node.contains(document.activeElement) && nb().content.mode === "command"`)
	l.do(`globalThis.count = nb().content.widgets.length`)
	l.press("b")
	l.is("a cell below", `nb().content.widgets.length === count + 1`)
	l.press("dd")
	l.is("the cell deleted", `nb().content.widgets.length === count`)

	l.do(`controls()[0].element.form.querySelector("button").focus()`)
	l.press(" ")
	l.ends("Done, by the space bar")
	l.is("the last picture to stay", `drawn(explorer).length === 1`)
}

// sight has the explorer out of sight, by scrolling and by collapsing its output,
// which is no end, for as long as it takes to say so.
func (l *lab) sight() {
	l.t.Helper()
	l.explore(l.runLast)
	l.do(`const send = gonb_comm.send
		globalThis.sent = 0
		gonb_comm.send = function(...a) { sent++; return send.apply(this, a) }
		globalThis.config = nb().content.notebookConfig
		globalThis.signs = () => { sent = 0; return until("sent === 1") }`)
	for _, out := range []struct{ hide, show string }{
		{`nb().content.notebookConfig = {...config, windowingMode: "full"}; nb().content.scrollToItem(0)`, `nb().content.notebookConfig = config`},
		{`nb().content.widgets.at(-1).outputHidden = true`, `nb().content.widgets.at(-1).outputHidden = false`},
	} {
		l.do(out.hide)
		l.do(`signs()`)
		l.do(out.show)
		l.is("the explorer to be back", `controls().length === 5 && !controls()[0].element.matches(":disabled")`)
		l.do(`explorer.scrollIntoView({block: "start"})`)
		value, err := eval[string](l, `String((+controls()[4].element.value + 7) % 100)`)
		if err != nil {
			l.t.Fatal(err)
		}
		l.choose("Opacity", value)
	}
	l.click(".jp-OutputArea-output button", "Done")
	l.ends("Done, after it was out of sight")
}

// reopened does something that takes the running explorer away, and wants the
// notebook to show what was saved, and the explorer to run again.
func (l *lab) reopened(how string, leave func()) {
	l.t.Helper()
	start := time.Now()
	leave()
	l.t.Logf("%s: idle and open again after %.1f s", how, time.Since(start).Seconds())
	l.is("the last picture in the notebook", `drawn(codeCells().at(-1).node).length === 1`)
	l.is("a form that says that nothing runs", `codeCells().at(-1).node.innerText.includes("not running") && controls().every(c => c.element.matches(":disabled"))`)
	l.t.Log(l.screenshot("03_explorer_reopened"))
	l.explore(l.runLast)
	l.choose("Why", "dog")
}
