//! Relative links in Markdown pages lead to files that exist.

use super::SourceFile;

pub fn findings(sources: &[SourceFile], exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for link in relative_links(&source.text) {
            let target = resolve(&source.path, &link);
            if !target.as_deref().is_some_and(exists) {
                findings.push(format!(
                    "{}: links to `{link}`, which does not exist",
                    source.path
                ));
            }
        }
    }
    findings
}

/// Link targets outside code blocks that are neither addresses nor places in the same page.
fn relative_links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for after in line.split("](").skip(1) {
            let target = after.split([')', ' ']).next().unwrap_or("");
            let path = target.split('#').next().unwrap_or("");
            let elsewhere = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !elsewhere {
                links.push(path.to_owned());
            }
        }
    }
    links
}

/// The link's path from the repository's root; none when it leaves the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    #[test]
    fn only_relative_links_to_missing_files_are_found() {
        let page = "[a](b.md) [x](https://example.com) [c](../README.md#top) [d](#here)\n```\n[e](no.md)\n```\n[f](gone.md \"title\")";
        let found = findings(&[file("docs/a.md", page)], &|path| {
            ["docs/b.md", "README.md"].contains(&path)
        });
        assert_eq!(
            found,
            ["docs/a.md: links to `gone.md`, which does not exist"]
        );
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        assert_eq!(
            findings(&[file("a.md", "[a](../b.md)")], &|_| true).len(),
            1
        );
    }
}
