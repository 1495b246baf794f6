// Package notebook shows camlib's results in the output of a GoNB cell: pictures
// and trainings that can be watched. An error is printed in one line and ends the
// cell. Outside a notebook, pictures are not shown and progress is plain lines.
//
// Its functions take the two results of a call as they are:
//
//	notebook.Show(pair.Draw())
package notebook

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"image"
	"os"
	"path/filepath"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"

	"github.com/camlab-go/camlab/camlib/figure"
)

// Quick tells whether CAMLAB_QUICK=1 is set: the notebook is to take the
// embedded sample and a short training, so that it runs in a minute or two.
func Quick() bool { return os.Getenv("CAMLAB_QUICK") == "1" }

// Scratch returns a folder for what one cell leaves to the next, for values do not
// outlive the cell's process. It goes when the kernel does. Outside a notebook it
// is a folder of the system's temporary one.
func Scratch() string {
	dir := filepath.Join(cmp.Or(os.Getenv(protocol.GONB_TMP_DIR_ENV), os.TempDir()), "camlab-scratch")
	Check(os.MkdirAll(dir, 0o700))
	return dir
}

// Check ends the cell with a line on its error output when err is not nil.
func Check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		if gonbui.IsNotebook {
			gonbui.Sync()
		}
		os.Exit(1)
	}
}

// Must returns v, or ends the cell as [Check] does.
func Must[T any](v T, err error) T {
	Check(err)
	return v
}

// Show displays a picture, or ends the cell as [Check] does.
func Show(img image.Image, err error) {
	Check(err)
	ShowPNG(figure.PNGBytes(img))
}

// inlineImage is a picture as an HTML element that needs no file.
func inlineImage(mime string, data []byte) string {
	return fmt.Sprintf(`<img src="data:%s;base64,%s">`, mime, base64.StdEncoding.EncodeToString(data))
}

// ShowPNG displays the contents of a PNG file, or ends the cell as [Check] does.
func ShowPNG(png []byte, err error) {
	Check(err)
	if gonbui.IsNotebook {
		gonbui.DisplayPNG(png)
		gonbui.Sync() // or the picture is lost when the cell ends here
	}
}
