// Package browsertest gives tests a Chromium or Chrome without a window.
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Path returns the path of a Chromium or Chrome, the one that the environment variable
// CHROME names if it is set. It skips the test where there is none.
func Path(tb testing.TB) string {
	tb.Helper()
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell",
		"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}
	if chosen := os.Getenv("CHROME"); chosen != "" {
		path, err := exec.LookPath(chosen)
		if err != nil {
			tb.Fatalf("CHROME=%s: %v", chosen, err)
		}
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	tb.Skip("needs a browser: install Chromium or Chrome, or name one in CHROME")
	return ""
}

// Open starts the browser with a window of that size, and returns a tab, which chromedp
// takes. Both are gone when the test ends. The sandbox is off: it does not work as root
// nor in most containers, and the pages are our own.
func Open(tb testing.TB, width, height int, patience time.Duration) context.Context {
	tb.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(Path(tb)), chromedp.NoSandbox, chromedp.WindowSize(width, height),
		chromedp.UserDataDir(tb.TempDir()), chromedp.WSURLReadTimeout(patience))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	tb.Cleanup(cancel)
	tab, cancelTab := chromedp.NewContext(allocator)
	tb.Cleanup(cancelTab)
	return tab
}
