package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/flumekit/flumekit/pkg/fault"
	"github.com/flumekit/flumekit/pkg/flumeconf"
)

// Findings is all that was found while options were set.
type Findings struct {
	// Errors are what makes the options unfit: bad values, required
	// properties that are missing, what Validate says.
	Errors []error
	// Warnings are properties that the options do not know.
	Warnings []error
	// Notices are properties that Flume knows and that have no effect here.
	Notices []error
}

// Err joins the errors. It is nil if there are none.
func (f Findings) Err() error { return errors.Join(f.Errors...) }

// Decode sets options, a pointer to a tagged struct, from properties: first
// the defaults, then the properties, of which the last of a name counts. Then
// it calls the Validate method of options and of what is embedded in them. It
// goes on after a mistake, so that all of them are found at once.
//
// Several structs may share the properties, as a source's own options and
// those that every source has do: each property is for the first struct that
// has it. The property "type", which every component has, is passed over if
// none has it.
//
// Errors say where they lie by where, which returns the place of the property
// that has the given key, or the place where it should stand; the method
// Where of flumeconf.Component does that. If where is nil, it is the position
// of the property. The status of errors is fault.Config.
//
// An error of Validate whose text begins with a property's name lies where
// that property stands. If there are no errors, methods Warnings() []error add,
// in the same way, to the warnings: they say what of the values has no effect.
// Both are called for the structs that are embedded, too.
func Decode(props []flumeconf.Property, where func(key string) string, options ...any) Findings {
	var all []*properties
	for _, each := range options {
		p, err := load(each, "")
		if err != nil {
			return Findings{Errors: []error{err}}
		}
		all = append(all, p)
	}
	return decode(all, fromFile(props, where), scope{where: where, status: fault.Config})
}

// Below returns the properties whose keys begin with prefix, without it: those
// of an interceptor, for the prefix "interceptors.i1.".
func Below(props []flumeconf.Property, prefix string) []flumeconf.Property {
	var below []flumeconf.Property
	for _, p := range props {
		if key, ok := strings.CutPrefix(p.Key, prefix); ok {
			below = append(below, flumeconf.Property{Key: key, Value: p.Value, Pos: p.Pos})
		}
	}
	return below
}

// given is a property that somebody gave a value.
type given struct {
	key   string // its name in a file
	text  string // the value
	label string // what an error calls it: "port", "--port"
	where string // where it stands; "" on the command line
	flag  bool   // it stands on the command line
}

// fromFile returns the properties of a file.
func fromFile(props []flumeconf.Property, where func(string) string) []given {
	all := make([]given, len(props))
	for i, p := range props {
		place := p.Pos.String() + ": " + p.Key
		if where != nil {
			place = where(p.Key)
		}
		all[i] = given{key: p.Key, text: p.Value, label: p.Key, where: place}
	}
	return all
}

// fault returns err as the fault of what was given.
func (g given) fault(err error) error {
	if g.flag {
		return fault.WithStatus(err, fault.Usage)
	}
	return fault.WithStatus(fault.At(err, g.where), fault.Config)
}

// scope says where options stand that are set together, and so what nobody
// gave a value.
type scope struct {
	where  func(key string) string // see Decode
	status int                     // fault.Config if there is a file, else fault.Usage
	usage  string                  // how the command line should have been, if it has a short form
}

// fault returns err as a fault of the property key, which was not given; key
// is "" if err is not about one property.
func (s scope) fault(err error, key string) error {
	if s.where != nil && key != "" {
		err = fault.At(err, s.where(key))
	}
	return fault.WithStatus(err, s.status)
}

// missing returns the error of a required property that was not given.
func (s scope) missing(p *property) error {
	text, flag := "required property "+p.key(), p.key()+" = "
	if s.status == fault.Usage {
		text, flag = "--"+p.key(), "--"+p.key()+"="
	}
	hint := "write " + flag + placeholder(p)
	if s.usage != "" {
		hint = "write " + s.usage + ", or " + flag + placeholder(p)
	}
	return s.fault(fault.Hint(errors.New(text+" is missing"), "%s: %s", hint, p.Help), p.key())
}

// decoder sets options from what was given. Its methods are called in order.
type decoder struct {
	scope
	all   []*properties
	given []given
	// values is what counts of given for each slot, by index: one, or
	// several flags.
	values map[slot][]int
	// failed is why components within the component could not be chosen.
	failed map[*property]error
	// faulty are the properties that an error was found for.
	faulty map[*property]bool
	found  Findings
}

// slot is where a value goes: a property, and the key in it if it is a map.
type slot struct {
	*property
	sub string
}

// decode sets the options of all from what was given, in the order in which
// later ones take precedence.
func decode(all []*properties, gs []given, in scope) Findings {
	d := decoder{
		scope:  in,
		all:    all,
		given:  gs,
		values: map[slot][]int{},
		failed: map[*property]error{},
		faulty: map[*property]bool{},
	}
	if err := reset(all); err != nil {
		return Findings{Errors: []error{err}}
	}
	var err error
	if d.all, err = choose(all, gs, d.failed); err != nil {
		return Findings{Errors: []error{err}}
	}
	d.share()
	d.set()
	d.require()
	d.validate()
	d.warn()
	return d.found
}

// reset gives all properties their defaults.
func reset(all []*properties) error {
	for _, each := range all {
		for _, p := range each.list {
			if err := p.reset(); err != nil {
				return fmt.Errorf("setting the default of %s: %w", p.key(), err)
			}
		}
	}
	return nil
}

// share finds out what each value is for and which of them count.
func (d *decoder) share() {
	for i, g := range d.given {
		p, sub := d.find(g)
		switch {
		case p != nil:
			s := slot{p, sub}
			before := d.values[s]
			if before == nil || !d.given[before[0]].flag || !p.isSlice() && !p.IsMap() {
				before = nil
			}
			d.values[s] = append(before, i)
		case g.key == d.all[0].prefix+"type" || of(d.failed, g.key):
		case g.flag:
			d.found.Errors = append(d.found.Errors, misspelt(g.label, d.all, "the manual"))
		default:
			d.found.Warnings = append(d.found.Warnings, unknown(g, d.all))
		}
	}
}

// find returns the property that g gives a value. In a file that is none of
// the process's: another of that name there is the component's.
func (d *decoder) find(g given) (*property, string) {
	p, sub, owner := find(d.all, g.key)
	if p != nil && !g.flag && owner.command {
		p, sub, _ = rest(d.all, g.key)
	}
	return p, sub
}

// set sets the properties that were given.
func (d *decoder) set() {
	for i, g := range d.given {
		p, sub := d.find(g)
		if !slices.Contains(d.values[slot{p, sub}], i) {
			continue
		}
		if why := p.notice(); why != "" && !p.Set {
			d.found.Notices = append(d.found.Notices, g.fault(fmt.Errorf("%s has no effect: %s", g.label, why)))
		}
		if p.isSlice() && !p.Set {
			p.Target.SetZero()
		}
		p.Set = true
		err := d.failed[p]
		if !p.isChooser() {
			err = p.set(sub, g.text)
		}
		if err != nil {
			d.complain(p, g.fault(fmt.Errorf("%s: %w", g.label, err)))
		}
	}
}

// complain adds an error about a property.
func (d *decoder) complain(p *property, err error) {
	d.faulty[p] = true
	d.found.Errors = append(d.found.Errors, err)
}

// require looks for properties that should have been given.
func (d *decoder) require() {
	for _, each := range d.all {
		for _, p := range each.list {
			if p.Required && !p.Set {
				d.complain(p, d.missing(p))
			}
		}
	}
}

// validate asks the options what is wrong with them, leaving out what is said
// of a property that has an error already.
func (d *decoder) validate() {
	for _, each := range d.all {
		for _, err := range validate(each.options) {
			if p, err := d.place(each, err); !d.faulty[p] {
				d.found.Errors = append(d.found.Errors, err)
			}
		}
	}
}

// warn asks sound options what of their values has no effect.
func (d *decoder) warn() {
	if len(d.found.Errors) > 0 {
		return
	}
	for _, each := range d.all {
		for _, err := range warnings(each.options) {
			_, err = d.place(each, err)
			d.found.Warnings = append(d.found.Warnings, err)
		}
	}
}

// place returns err, which options have found, with the place of the property
// that its text begins with the name of, and that property; nil if it is none.
func (d *decoder) place(in *properties, err error) (*property, error) {
	name, _, _ := strings.Cut(err.Error(), " ")
	p, sub := in.find(in.prefix + strings.TrimSuffix(name, ":"))
	count := d.values[slot{p, sub}]
	switch {
	case p == nil:
		return nil, d.fault(err, "")
	case len(count) == 0:
		if d.status == fault.Usage {
			err = fmt.Errorf("--%s%w", in.prefix, err)
		}
		return p, d.fault(err, p.key())
	}
	g := d.given[count[len(count)-1]]
	if g.flag {
		err = fmt.Errorf("--%s%w", in.prefix, err)
	}
	return p, g.fault(err)
}

// choose makes the components within the component, as they are given or by
// default, and returns all with their properties, whose defaults are set. What
// is wrong with a choice it puts into failed.
func choose(all []*properties, gs []given, failed map[*property]error) ([]*properties, error) {
	all = slices.Clone(all)
	for _, each := range all {
		for _, p := range each.list {
			if !p.isChooser() {
				continue
			}
			var err error
			for _, g := range gs {
				if g.key == p.key() {
					err = p.set("", g.text)
				}
			}
			if err != nil {
				failed[p] = err
				continue
			}
			if p.part == nil {
				continue
			}
			part, err := load(p.part, p.key()+".")
			if err != nil {
				return nil, err
			}
			if err := reset([]*properties{part}); err != nil {
				return nil, err
			}
			all = append(all, part)
		}
	}
	return all, nil
}

// of says whether key is a property of a component whose choice failed.
func of(failed map[*property]error, key string) bool {
	for p := range failed {
		if strings.HasPrefix(key, p.key()+".") {
			return true
		}
	}
	return false
}

// unknown returns the warning of a property that no struct has.
func unknown(g given, all []*properties) error {
	err := fmt.Errorf("unknown property %s", g.label)
	if p, _, _ := find(all, g.key); p != nil {
		return g.fault(fault.Hint(err, "write --%s on the command line", g.key))
	}
	if near := closest(all, g.key); near != "" {
		err = fault.Hint(err, "did you mean %s?", near)
	} else {
		err = fault.Hint(err, "it has no effect")
	}
	return g.fault(err)
}

// validate calls the Validate methods of options and of the structs embedded
// in it, and returns all that they find wrong.
func validate(options any) []error {
	return ask(options, func(of any) []error {
		if v, ok := of.(interface{ Validate() error }); ok {
			return each(v.Validate())
		}
		return nil
	})
}

// warnings does the same for their Warnings methods.
func warnings(options any) []error {
	return ask(options, func(of any) []error {
		if n, ok := of.(interface{ Warnings() []error }); ok {
			return n.Warnings()
		}
		return nil
	})
}

// ask returns what question returns for options and the structs embedded in it.
func ask(options any, question func(of any) []error) []error {
	var answers []error
	seen := map[string]bool{}
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		for _, answer := range question(v.Addr().Interface()) {
			// Go promotes the methods of an anonymous field, which are then
			// called for the struct and for the field.
			if !seen[answer.Error()] {
				seen[answer.Error()] = true
				answers = append(answers, answer)
			}
		}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			_, embed := field.Tag.Lookup("embed")
			if field.IsExported() && (embed || field.Anonymous) && field.Type.Kind() == reflect.Struct {
				visit(v.Field(i))
			}
		}
	}
	visit(reflect.ValueOf(options).Elem())
	return answers
}

// each returns the errors that err joins, or err itself.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
