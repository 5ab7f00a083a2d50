//! The functions of a program in ELF, by their names in Rust.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolKind};

/// A function.
pub struct Symbol<'a> {
    /// Its path, without what tells namesakes apart.
    pub name: String,
    /// Where it is in memory.
    pub address: u64,
    /// Its instructions.
    pub code: &'a [u8],
}

/// A program.
pub struct Program<'a> {
    file: ElfFile64<'a>,
    functions: Vec<Symbol<'a>>,
}

impl<'a> Program<'a> {
    /// Reads a program.
    pub fn new(octets: &'a [u8]) -> Result<Self, object::Error> {
        let file = ElfFile64::parse(octets)?;
        let mut functions = Vec::new();
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            let Some(section) = symbol.section_index() else { continue };
            let code = file.section_by_index(section)?.data_range(symbol.address(), symbol.size())?.unwrap_or_default();
            let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
            functions.push(Symbol { name, address: symbol.address(), code });
        }
        functions.sort_by(|one, other| (&one.name, one.address).cmp(&(&other.name, other.address)));
        Ok(Self { file, functions })
    }

    /// All functions, by name.
    pub fn functions(&self) -> &[Symbol<'a>] {
        &self.functions
    }

    /// Where the loader writes the address of a function of another library.
    pub fn pointers_to(&self, name: &str) -> Vec<u64> {
        let symbols = self.file.dynamic_symbol_table();
        let is_named = |target| {
            use object::ObjectSymbolTable;
            let RelocationTarget::Symbol(index) = target else { return false };
            let symbol = symbols.as_ref().and_then(|symbols| symbols.symbol_by_index(index).ok());
            symbol.is_some_and(|symbol| symbol.name() == Ok(name))
        };
        let relocations = self.file.dynamic_relocations().into_iter().flatten();
        relocations.filter(|(_, relocation)| is_named(relocation.target())).map(|(address, _)| address).collect()
    }
}
