package board

import (
	"context"
	"fmt"

	"github.com/camlab-go/camlab/camlib/cam"
	"github.com/camlab-go/camlab/camlib/truth"
)

// OnMosaics returns the row's maps of the cells of the mosaics, each of its cell's class, and
// where these are. They are made once.
func (c *Contestant) OnMosaics(ctx context.Context) (*cam.Result, truth.Truth, error) {
	m, err := c.mosaics()
	if err != nil {
		return nil, truth.Truth{}, err
	}
	r, err := c.cells.Get(func() (*cam.Result, error) { return c.cellMaps(ctx, m) })
	if err != nil {
		return nil, truth.Truth{}, fmt.Errorf("board: mosaics: %w", err)
	}
	return r, m.Truth(), nil
}

// cellMaps makes them. Perturbations are the same for all classes, so that methods with
// some are asked for all classes at once.
func (c *Contestant) cellMaps(ctx context.Context, m *truth.Mosaics) (*cam.Result, error) {
	if c.method != nil {
		if s := c.method.Spec(); s.Perturbations != nil && s.Linear == nil {
			e, err := c.explainer(c.Network)
			if err != nil {
				return nil, err
			}
			r, err := e.Explain(ctx, c.method, m.Images, cam.All)
			if err != nil {
				return nil, err
			}
			return m.Maps(r)
		}
	}
	x, _ := m.Repeated()
	return c.Explain(ctx, c.Network, x, m.Labels)
}
