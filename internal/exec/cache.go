package exec

import "sync"

// Once keeps a value that is computed once. A failure is not kept. The zero value is ready
// for use.
type Once[T any] struct {
	mu    sync.Mutex
	done  bool
	value T
}

// Get returns the value, which the first call computes.
func (o *Once[T]) Get(compute func() (T, error)) (T, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return o.value, nil
	}
	v, err := compute()
	o.value, o.done = v, err == nil
	return v, err
}

// Cache is a [Once] for each key: compiled graphs, mostly. The zero value is ready for use.
type Cache[K comparable, V any] struct {
	mu   sync.Mutex
	once map[K]*Once[V]
}

// Get returns the value of a key, which the first call for it computes; calls for other
// keys do not wait.
func (c *Cache[K, V]) Get(key K, compute func() (V, error)) (V, error) {
	c.mu.Lock()
	if c.once == nil {
		c.once = make(map[K]*Once[V])
	}
	o := c.once[key]
	if o == nil {
		o = new(Once[V])
		c.once[key] = o
	}
	c.mu.Unlock()
	return o.Get(compute)
}

// Each calls a function for every value that has been computed.
func (c *Cache[K, V]) Each(do func(V)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.once {
		o.mu.Lock()
		if o.done {
			do(o.value)
		}
		o.mu.Unlock()
	}
}
