//! Hotelling's T² of single samples: the baseline that knows how sensors go together and looks at no window.

/// Means and the inverse of the covariance of samples that are sound.
pub struct Hotelling {
    means: Vec<f64>,
    inverse: Vec<Vec<f64>>,
}

impl Hotelling {
    /// Fitted to rows of one length. A millionth of each variance is added to it, so that sensors that say the same do no harm.
    pub fn fit(rows: &[Vec<f64>]) -> Self {
        let (n, width) = (rows.len() as f64, rows[0].len());
        let means: Vec<f64> = (0..width).map(|column| rows.iter().map(|row| row[column]).sum::<f64>() / n).collect();
        let mut matrix = vec![vec![0.0; 2 * width]; width];
        for row in rows {
            for i in 0..width {
                for j in 0..width {
                    matrix[i][j] += (row[i] - means[i]) * (row[j] - means[j]) / (n - 1.0);
                }
            }
        }
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] = row[i] * (1.0 + 1e-6) + 1e-12;
            row[width + i] = 1.0;
        }
        // Gauss and Jordan, with the greatest pivot.
        for column in 0..width {
            let pivot =
                (column..width).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs())).unwrap();
            matrix.swap(column, pivot);
            let by = matrix[column][column];
            matrix[column].iter_mut().for_each(|cell| *cell /= by);
            let of_pivot = matrix[column].clone();
            for (i, row) in matrix.iter_mut().enumerate().filter(|(i, _)| *i != column) {
                let _ = i;
                let by = row[column];
                row.iter_mut().zip(&of_pivot).for_each(|(cell, other)| *cell -= by * other);
            }
        }
        Self { means, inverse: matrix.into_iter().map(|row| row[width..].to_vec()).collect() }
    }

    /// How far a sample lies from the sound ones.
    pub fn distance(&self, row: &[f64]) -> f64 {
        let apart: Vec<f64> = row.iter().zip(&self.means).map(|(value, mean)| value - mean).collect();
        let within = self.inverse.iter().zip(&apart);
        within
            .map(|(weights, by)| by * weights.iter().zip(&apart).map(|(weight, value)| weight * value).sum::<f64>())
            .sum()
    }
}

/// The value that the share of the sample is not above.
pub fn quantile(values: impl IntoIterator<Item = f64>, probability: f64) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted[((sorted.len() - 1) as f64 * probability).round() as usize]
}
