//! Who may read and write a file or a folder: access lists and owners.

use super::super::Readers;
use super::process::io_result;
use std::fs::{self, File};
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::path::Path;
use windows_permissions::constants::{SeObjectType, SecurityInformation};
use windows_permissions::wrappers::{
    ConvertSecurityDescriptorToStringSecurityDescriptor, GetSecurityInfo, SetSecurityInfo,
};
use windows_permissions::{LocalBox, SecurityDescriptor};
use winsafe::{HFILE, HPROCESS, TokenInfo, co};

const READ_CONTROL: u32 = 0x0002_0000;
const WRITE_DAC: u32 = 0x0004_0000;
const GENERIC_WRITE: u32 = 0x4000_0000;
/// Without it a folder can't be opened.
const FILE_FLAG_BACKUP_SEMANTICS: u32 = 0x0200_0000;
/// Owners of folders that are nobody's in particular: administrators, the system, and everyone,
/// whom file systems without owners name.
const NOBODY: [&str; 3] = ["S-1-5-32-544", "S-1-5-18", "S-1-1-0"];

/// Creates a file, or empties the one that is there.
pub fn create_file(path: &Path, readers: Readers) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    if readers == Readers::Everyone {
        return options.open(path);
    }
    let rights = GENERIC_WRITE | READ_CONTROL | WRITE_DAC;
    let mut file = options.access_mode(rights).open(path)?;
    keep_private(&mut file, "")?;
    Ok(file)
}

/// Creates a file that is not there yet; it has the rights that its folder gives.
pub fn create_private_file(path: &Path) -> io::Result<File> {
    File::options().write(true).create_new(true).open(path)
}

/// Creates a folder, and those above it. Below the user's own folder they are private by
/// themselves; elsewhere they are made so, and all that they will hold with them.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let is_missing = |folder: &&Path| !folder.exists();
    let missing: Vec<_> = path.ancestors().skip(1).take_while(is_missing).collect();
    fs::create_dir_all(path)?;
    if is_below_home(path)? {
        return Ok(());
    }
    let mut made = missing.into_iter().rev().chain([path]);
    made.try_for_each(make_private)
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut folder = open_access(path)?;
    match AccessList::of(&folder) {
        Ok(list) if list.is_protected() => Ok(()),
        // Inherited by files and folders.
        _ => keep_private(&mut folder, "OICI"),
    }
}

fn is_below_home(path: &Path) -> io::Result<bool> {
    let Some(home) = super::super::home_folder().filter(|home| home.exists()) else {
        return Ok(false);
    };
    Ok(dunce::canonicalize(path)?.starts_with(dunce::canonicalize(&home)?))
}

/// A file or a folder, for a look at its access list and a change of it.
fn open_access(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.access_mode(READ_CONTROL | WRITE_DAC);
    options.custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

/// Takes away the rights that a file inherited, and gives them to this user. The system and
/// administrators keep theirs, as in the user's own folder: backups need them.
fn keep_private(file: &mut File, inherited_by: &str) -> io::Result<()> {
    let full = |who: &str| format!("(A;{inherited_by};FA;;;{who})");
    let text = format!("D:P{}{}{}", full(&own_sid()?), full("SY"), full("BA"));
    AccessList(text.parse()?).give(file, SecurityInformation::ProtectedDacl)
}

struct AccessList(LocalBox<SecurityDescriptor>);

impl AccessList {
    fn of(file: &File) -> io::Result<Self> {
        let kind = SeObjectType::SE_FILE_OBJECT;
        let list = GetSecurityInfo(file, kind, SecurityInformation::Dacl)?;
        Ok(AccessList(list))
    }

    /// The list as text: flags, then entries in brackets.
    fn text(&self) -> String {
        let part = SecurityInformation::Dacl;
        let text = ConvertSecurityDescriptorToStringSecurityDescriptor(&self.0, part);
        text.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether the folder's rights do not reach the file.
    fn is_protected(&self) -> bool {
        let text = self.text();
        let flags = text.split('(').next().unwrap_or_default();
        flags.trim_start_matches("D:").contains('P')
    }

    /// Whether every right comes from the folder.
    fn is_inherited(&self) -> bool {
        let text = self.text();
        let mut entries = text.split('(').skip(1);
        let is_inherited = |entry: &str| entry.split(';').nth(1).is_some_and(|f| f.contains("ID"));
        !self.is_protected() && entries.all(is_inherited)
    }

    /// Gives the list to a file; `reach` says whether the rights of its folder reach it too.
    fn give(&self, file: &mut File, reach: SecurityInformation) -> io::Result<()> {
        let kind = SeObjectType::SE_FILE_OBJECT;
        let parts = SecurityInformation::Dacl | reach;
        SetSecurityInfo(file, kind, parts, None, None, self.0.dacl(), None)
    }
}

/// The security identifier of the user who runs this program.
fn own_sid() -> io::Result<String> {
    let token = HPROCESS::GetCurrentProcess().OpenProcessToken(co::TOKEN::QUERY);
    let token = io_result(token)?;
    let information = io_result(token.GetTokenInformation(co::TOKEN_INFORMATION_CLASS::User))?;
    let TokenInfo::User(user) = information else {
        return Err(io::Error::other("Windows does not tell who this user is"));
    };
    let sid = user.User.Sid().map(|sid| sid.to_string());
    sid.ok_or_else(|| io::Error::other("this user has no identifier"))
}

/// The names that a file has beside this one.
pub fn other_names(path: &Path) -> u64 {
    let share = co::FILE_SHARE::READ | co::FILE_SHARE::WRITE | co::FILE_SHARE::DELETE;
    let links = path.to_str().and_then(|path| {
        let opened = HFILE::CreateFile(
            path,
            co::GENERIC::READ,
            Some(share),
            None,
            co::DISPOSITION::OPEN_EXISTING,
            co::FILE_ATTRIBUTE::NORMAL,
            None,
            None,
            None,
        );
        let (file, _) = opened.ok()?;
        Some(file.GetFileInformationByHandle().ok()?.nNumberOfLinks)
    });
    links.map_or(0, |links| u64::from(links).saturating_sub(1))
}

/// Whether a folder belongs to somebody else than the user who works here, as git judges it.
pub fn is_foreign(folder: &Path) -> bool {
    let mut options = File::options();
    options.access_mode(READ_CONTROL);
    let opened = options
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(folder);
    let owner = opened.and_then(|folder| {
        let kind = SeObjectType::SE_FILE_OBJECT;
        GetSecurityInfo(&folder, kind, SecurityInformation::Owner)
    });
    let owner = owner
        .ok()
        .and_then(|found| Some(found.owner()?.to_string()));
    let (Some(owner), Ok(own)) = (owner, own_sid()) else {
        return false;
    };
    owner != own && !NOBODY.contains(&owner.as_str())
}

/// Gives a new file the access list of the one that it will replace, where that is its own; else it
/// has the rights that its folder gives, as the old one had.
pub fn copy_access(target: &Path, temporary: &Path, _file: &File) -> io::Result<()> {
    // Some file systems keep no access lists.
    let list = open_access(target).and_then(|file| AccessList::of(&file));
    match list {
        Ok(list) if list.0.dacl().is_some() && !list.is_inherited() => {
            let reach = match list.is_protected() {
                true => SecurityInformation::ProtectedDacl,
                false => SecurityInformation::UnprotectedDacl,
            };
            list.give(&mut open_access(temporary)?, reach)
        }
        _ => Ok(()),
    }
}
