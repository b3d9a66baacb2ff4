//! `AndroidManifest.xml` as it lies in an APK: Android's binary XML (`ResourceTypes.h` in AOSP's libandroidfw describes it),
//! read as far as its first `<application>`.

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The app's package.
    pub package: String,
    /// What Android orders versions by.
    pub version_code: u64,
    /// What people call the version; the version code where it says nothing.
    pub version_name: String,
    /// Whether a debugger may look into it.
    pub debuggable: bool,
}

const XML: u16 = 0x0003;
const STRINGS: u16 = 0x0001;
const RESOURCES: u16 = 0x0180;
const START_ELEMENT: u16 = 0x0102;
const END_ELEMENT: u16 = 0x0103;

// Attributes are known by these numbers of the framework's public resources; their names are nothing to Android.
const VERSION_CODE: u32 = 0x0101_021b;
const VERSION_CODE_MAJOR: u32 = 0x0101_0576;
const VERSION_NAME: u32 = 0x0101_021c;
const DEBUGGABLE: u32 = 0x0101_000f;

const TEXT: u8 = 0x03;
const DECIMAL: u8 = 0x10;
const HEXADECIMAL: u8 = 0x11;
const BOOLEAN: u8 = 0x12;

const LONGEST_NAME: usize = 255;

type Result<T> = std::result::Result<T, String>;

pub(super) fn read(bytes: &[u8]) -> Result<Manifest> {
    if short(bytes, 0) != Some(XML) {
        return Err("it is no binary XML".to_owned());
    }
    let file = Chunk::first(bytes)?;
    let mut strings = None;
    let mut resources: Vec<u32> = Vec::new();
    let mut root: Option<Manifest> = None;
    let mut depth = 0_usize;
    let mut rest = file.body();
    while !rest.is_empty() {
        let chunk = Chunk::first(rest)?;
        rest = &rest[chunk.bytes.len()..];
        match chunk.kind {
            STRINGS if strings.is_none() => strings = Some(Strings::new(chunk)?),
            RESOURCES => resources = chunk.body().as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect(),
            END_ELEMENT => depth = depth.saturating_sub(1),
            START_ELEMENT => {
                depth += 1;
                let strings = strings.as_ref().ok_or("its texts are missing")?;
                let element = Element { chunk, strings, resources: &resources };
                match (depth, element.name()?.as_str()) {
                    (1, "manifest") => root = Some(element.manifest()?),
                    (1, other) => return Err(format!("its root is <{}>", shown(other))),
                    (2, "application") => {
                        let debuggable = element.flag(DEBUGGABLE)?;
                        let root = root.ok_or("its root is missing")?;
                        return Ok(Manifest { debuggable, ..root });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    root.ok_or_else(|| "there is no <manifest> in it".to_owned())
}

/// Text from a file that anybody may have made, for a message.
fn shown(text: &str) -> String {
    text.chars().take(60).collect::<String>().escape_debug().to_string()
}

/// A part of the file: a kind, the size of its own header, its size.
#[derive(Clone, Copy)]
struct Chunk<'a> {
    kind: u16,
    header: usize,
    bytes: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn first(bytes: &'a [u8]) -> Result<Self> {
        let broken = || "it ends in the middle".to_owned();
        let (kind, header) = (short(bytes, 0).ok_or_else(broken)?, short(bytes, 2).ok_or_else(broken)?);
        let (header, size) = (usize::from(header), long(bytes, 4).ok_or_else(broken)? as usize);
        if header < 8 || size < header {
            return Err("a part of it has an impossible size".to_owned());
        }
        let bytes = bytes.get(..size).ok_or_else(broken)?;
        Ok(Self { kind, header, bytes })
    }

    fn body(&self) -> &'a [u8] {
        self.bytes.get(self.header..).unwrap_or_default()
    }
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Every text of the file, in one place.
struct Strings<'a> {
    chunk: Chunk<'a>,
    count: usize,
    start: usize,
    utf8: bool,
}

impl<'a> Strings<'a> {
    fn new(chunk: Chunk<'a>) -> Result<Self> {
        let field = |at| long(chunk.bytes, at).ok_or("its texts are cut off");
        let (count, flags, start) = (field(8)? as usize, field(16)?, field(20)? as usize);
        Ok(Self { chunk, count, start, utf8: flags & (1 << 8) != 0 })
    }

    fn get(&self, index: u32) -> Result<String> {
        let read = || {
            let index = index as usize;
            if index >= self.count {
                return None;
            }
            let offset = long(self.chunk.bytes, self.chunk.header.checked_add(index.checked_mul(4)?)?)? as usize;
            let at = self.chunk.bytes.get(self.start.checked_add(offset)?..)?;
            if self.utf8 { utf8(at) } else { utf16(at) }
        };
        read().ok_or_else(|| "a text of it lies outside, or is not text".to_owned())
    }
}

/// Its length in characters, in bytes, then the bytes; a length from 128 on takes two bytes.
fn utf8(at: &[u8]) -> Option<String> {
    let length = |at: &[u8]| {
        let first = usize::from(*at.first()?);
        if first & 0x80 == 0 { Some((first, 1)) } else { Some((((first & 0x7f) << 8) | usize::from(*at.get(1)?), 2)) }
    };
    let (_, characters) = length(at)?;
    let at = at.get(characters..)?;
    let (size, taken) = length(at)?;
    String::from_utf8(at.get(taken..taken.checked_add(size)?)?.to_vec()).ok()
}

/// Its length in units, then the units; a length from 32768 on takes two.
fn utf16(at: &[u8]) -> Option<String> {
    let first = usize::from(short(at, 0)?);
    let (units, taken): (usize, usize) =
        if first & 0x8000 == 0 { (first, 2) } else { (((first & 0x7fff) << 16) | usize::from(short(at, 2)?), 4) };
    let bytes = at.get(taken..taken.checked_add(units.checked_mul(2)?)?)?;
    String::from_utf16(&bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect::<Vec<_>>()).ok()
}

struct Element<'a> {
    chunk: Chunk<'a>,
    strings: &'a Strings<'a>,
    resources: &'a [u32],
}

/// An attribute's value as it is typed.
struct Value {
    name: u32,
    raw: u32,
    kind: u8,
    data: u32,
}

impl Element<'_> {
    fn name(&self) -> Result<String> {
        self.strings.get(long(self.chunk.body(), 4).ok_or("an element is cut off")?)
    }

    fn attributes(&self) -> Result<Vec<Value>> {
        let body = self.chunk.body();
        let field = |at| short(body, at).map(usize::from).ok_or("an element is cut off");
        let (start, size, count) = (field(8)?, field(10)?, field(12)?);
        let read = |n: usize| {
            let at = start.checked_add(n.checked_mul(size)?)?;
            let kind = *body.get(at.checked_add(15)?)?;
            Some(Value { name: long(body, at + 4)?, raw: long(body, at + 8)?, kind, data: long(body, at + 16)? })
        };
        if count > 0 && size < 20 {
            return Err("an attribute has an impossible size".to_owned());
        }
        (0..count).map(|n| read(n).ok_or_else(|| "an attribute is cut off".to_owned())).collect()
    }

    /// The attribute of a number of the framework.
    fn known(&self, id: u32) -> Result<Option<Value>> {
        Ok(self.attributes()?.into_iter().find(|a| self.resources.get(a.name as usize) == Some(&id)))
    }

    fn number(&self, id: u32) -> Result<Option<u32>> {
        match self.known(id)? {
            None => Ok(None),
            Some(value) if matches!(value.kind, DECIMAL | HEXADECIMAL) => Ok(Some(value.data)),
            Some(_) => Err("its version code is not a number".to_owned()),
        }
    }

    fn flag(&self, id: u32) -> Result<bool> {
        Ok(self.known(id)?.is_some_and(|value| value.kind != BOOLEAN || value.data != 0))
    }

    fn text(&self, value: &Value) -> Result<Option<String>> {
        match value.kind {
            TEXT => self.strings.get(value.data).map(Some),
            _ if value.raw != u32::MAX => self.strings.get(value.raw).map(Some),
            _ => Ok(None),
        }
    }

    fn manifest(&self) -> Result<Manifest> {
        let mut package = None;
        for value in self.attributes()? {
            // What the framework knows has a number; `package` has none.
            let known = self.resources.get(value.name as usize).is_some_and(|id| *id != 0);
            if !known && self.strings.get(value.name)? == "package" {
                package = self.text(&value)?;
            }
        }
        let package = package.ok_or("it does not say its package")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        if package.is_empty() || package.len() > LONGEST_NAME || !package.chars().all(plain) {
            return Err(format!("`{}` is not the name of a package", shown(&package)));
        }
        let low = self.number(VERSION_CODE)?.ok_or("it does not say its version code")?;
        let high = self.number(VERSION_CODE_MAJOR)?.unwrap_or_default();
        let version_code = (u64::from(high) << 32) | u64::from(low);
        let said = match self.known(VERSION_NAME)? {
            Some(value) => self.text(&value)?,
            None => None,
        };
        let version_name = said.unwrap_or_else(|| version_code.to_string());
        let sound = |name: &str| !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(char::is_control);
        if !sound(&version_name) {
            return Err(format!("`{}` is not the name of a version", shown(&version_name)));
        }
        Ok(Manifest { package, version_code, version_name, debuggable: false })
    }
}

#[cfg(test)]
mod tests;
